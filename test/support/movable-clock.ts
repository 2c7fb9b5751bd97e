// A wall clock for one test cluster that can be set back and forward, while its monotonic clocks go
// on as they do where a real machine's clock is set: libfaketime, fetched from Debian once, below
// the commands, the agents and PostgreSQL.
import {
  chmod,
  mkdtemp,
  readdir,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { globSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isUsable, probeInstallation } from "../../src/postgres/binaries/probe-installation.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { unpackDebianPackages } from "./debian-packages.ts";
import { openTestCache } from "./installations.ts";

/** The oldest that is served: built against an old C library, it runs with every newer one. */
const RELEASE = "bookworm";

export class MovableClock implements AsyncDisposable {
  /** Whose server has this clock. */
  readonly installation: Installation;
  /** Put before a command, it has this clock, and what it starts. */
  readonly enter: readonly string[];
  readonly #dir: string;

  private constructor(of: { installation: Installation; enter: readonly string[]; dir: string }) {
    this.installation = of.installation;
    this.enter = of.enter;
    this.#dir = of.dir;
  }

  static async make(real: Installation): Promise<MovableClock> {
    const library = await fakeTimeLibrary();
    const dir = await mkdtemp(join(await realpath(tmpdir()), "understudy-clock-"));
    await chmod(dir, 0o755);
    const enter = [
      "env",
      `LD_PRELOAD=${library}`,
      `FAKETIME_TIMESTAMP_FILE=${join(dir, "offset")}`,
      "FAKETIME_NO_CACHE=1",
      "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ];
    await writeFile(join(dir, "offset"), "+0\n");
    for (const name of await readdir(real.binDir))
      if (name !== "postgres") await symlink(join(real.binDir, name), join(dir, name));
    // An agent gives a server an environment of its own.
    const script = `#!/bin/sh\nexec ${enter.join(" ")} ${join(real.binDir, "postgres")} "$@"\n`;
    await writeFile(join(dir, "postgres"), script, { mode: 0o755 });
    const installation = await probeInstallation(dir);
    if (!isUsable(installation)) throw new Error(installation.unusable);
    return new MovableClock({ installation, enter, dir });
  }

  /** From now on it is so many seconds before or after the machine's. */
  async set(seconds: number): Promise<void> {
    const file = join(this.#dir, "offset");
    const offset = seconds < 0 ? String(seconds) : `+${seconds}`;
    // Whole or not at all: it is read at each look at the clock.
    await writeFile(`${file}.new`, `${offset}\n`, { mode: 0o644 });
    await rename(`${file}.new`, file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** Fetched once (50 kB) and kept. */
async function fakeTimeLibrary(): Promise<string> {
  const cache = await realpath(await openTestCache());
  const home = join(cache, `libfaketime-debian-${RELEASE}`);
  const kept = libraryIn(home);
  if (kept !== null) return kept;
  const staging = await mkdtemp(`${home}-`);
  try {
    await chmod(staging, 0o755);
    const packages = ["libfaketime"];
    const needed = (name: string) => packages.includes(name);
    await unpackDebianPackages({ release: RELEASE, packages, needed, into: staging });
    // Another test run may have been quicker.
    await rename(staging, home).catch(() => {});
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  const made = libraryIn(home);
  if (made !== null) return made;
  throw new Error(`Debian's libfaketime has no library in ${home}`);
}

/** The one for programs with threads. */
function libraryIn(home: string): string | null {
  const [name] = globSync("usr/lib/*/faketime/libfaketimeMT.so.1", { cwd: home });
  return name === undefined ? null : join(home, name);
}
