// An installation whose pg_rewind can be told to fail, to spoil its work or to wait; everything
// else in it is the real installation's.
import { chmod, mkdtemp, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isUsable, probeInstallation } from "../../src/postgres/binaries/probe-installation.ts";
import type { Installation } from "../../src/postgres/installation.ts";

export class RewindWrapper implements AsyncDisposable {
  readonly installation: Installation;
  readonly #dir: string;

  private constructor(of: { installation: Installation; dir: string }) {
    this.installation = of.installation;
    this.#dir = of.dir;
  }

  static async make(real: Installation): Promise<RewindWrapper> {
    const dir = await mkdtemp(join(await realpath(tmpdir()), "understudy-rewind-"));
    await chmod(dir, 0o755);
    for (const name of await readdir(real.binDir))
      if (name !== "pg_rewind") await symlink(join(real.binDir, name), join(dir, name));
    const script = [
      "#!/bin/sh",
      `while [ "$(cat ${dir}/mode)" = wait ] && [ "$1" != --version ]; do sleep 0.05; done`,
      `[ "$(cat ${dir}/mode)" = fail ] && [ "$1" != --version ] && echo "pg_rewind: error: as asked" >&2 && exit 1`,
      // A member that cannot start: the postmaster refuses a directory without this file.
      `if [ "$(cat ${dir}/mode)" = spoil ] && [ "$1" != --version ]; then`,
      `  ${join(real.binDir, "pg_rewind")} "$@" && rm PG_VERSION; exit`,
      "fi",
      `exec ${join(real.binDir, "pg_rewind")} "$@"`,
      "",
    ];
    await writeFile(join(dir, "pg_rewind"), script.join("\n"), { mode: 0o755 });
    await writeFile(join(dir, "mode"), "real");
    const installation = await probeInstallation(dir);
    if (!isUsable(installation)) throw new Error(installation.unusable);
    return new RewindWrapper({ installation, dir });
  }

  /** "wait" only until another is set. */
  async set(mode: "real" | "fail" | "spoil" | "wait"): Promise<void> {
    await writeFile(join(this.#dir, "mode"), mode);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}
