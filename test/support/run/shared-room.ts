// What the test files of one run share, in a directory that goes with the run: the data directories
// that others are copied from, and what Node has compiled.
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEMPLATES_VARIABLE } from "../data-template.ts";

export const COMPILED_VARIABLE = "UNDERSTUDY_TEST_COMPILED";

export class SharedRoom implements Disposable {
  /** For the environment of every test file. */
  readonly variables: Readonly<Record<string, string>>;
  readonly #path: string;

  constructor() {
    this.#path = mkdtempSync(join(realpathSync(tmpdir()), "ust-shared-"));
    chmodSync(this.#path, 0o755);
    this.variables = {
      [TEMPLATES_VARIABLE]: this.#forEverybody("data"),
      [COMPILED_VARIABLE]: this.#forEverybody("compiled"),
    };
  }

  /** Tests of root go on as another user, so both put something there, as in /tmp. */
  #forEverybody(name: string): string {
    const path = join(this.#path, name);
    mkdirSync(path);
    chmodSync(path, 0o1777);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true, force: true });
  }
}
