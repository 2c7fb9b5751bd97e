// initdb as it really is, on every major.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Secret } from "../../src/core/secret.ts";
import type { Major } from "../../src/core/spec.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import { initData } from "../../src/postgres/init-data.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { factsOf } from "../../src/postgres/majors.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { installationFor, testMajors } from "../support/installations.ts";

const installations = new Map<Major, Installation>();
let root = "";

before(async () => {
  for (const major of testMajors()) installations.set(major, await installationFor(major));
  await dropPrivileges();
  root = await mkdtemp(join(tmpdir(), "understudy-init-"));
});

after(() => rm(root, { recursive: true, force: true }));

function installation(major?: Major): Installation {
  const newest = Math.max(...installations.keys());
  const found = [...installations.values()].find((one) => one.major === (major ?? newest));
  assert.ok(found);
  return found;
}

async function place(): Promise<{ parent: string; dataDir: string }> {
  const parent = await mkdtemp(join(root, "member-"));
  return { parent, dataDir: join(parent, "data") };
}

const PASSWORD = "it's a:secret\\of ours";
const COMMON = {
  superuser: "understudy",
  superuserPassword: new Secret(PASSWORD),
  locale: "C.UTF-8",
};

for (const major of testMajors())
  test(`PostgreSQL ${major} makes data with checksums, which only the owner can read`, async () => {
    const { parent, dataDir } = await place();
    const steps: string[] = [];
    const result = await initData({
      ...COMMON,
      installation: installation(major),
      dataDir,
      onProgress: (step) => steps.push(step),
    });
    assert.match(result.locale, /^C(\.UTF-8)? \((builtin|libc)\)$/);
    assert.equal(result.locale.endsWith("(builtin)"), factsOf(major).builtinLocaleProvider);
    assert.deepEqual(steps, ["initdb", "renaming"]);
    assert.deepEqual(await readdir(parent), ["data"]);
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700);
    assert.equal((await readFile(join(dataDir, "PG_VERSION"), "utf8")).trim(), `${major}`);
    const control = await readControlData(dataDir);
    assert.equal(control.checksumVersion, 1);
    assert.equal(control.state, "shut down");
  });

for (const major of testMajors())
  test(`PostgreSQL ${major} leaves checksums out where they are not wanted`, async () => {
    const { dataDir } = await place();
    await initData({ ...COMMON, installation: installation(major), dataDir, checksums: false });
    assert.equal((await readControlData(dataDir)).checksumVersion, 0);
  });

for (const major of testMajors())
  test(`PostgreSQL ${major} finds another way where the system has no C.UTF-8, and says so`, async () => {
    const { parent, dataDir } = await place();
    const binDir = await withoutLocale(installation(major).binDir);
    const result = await initData({
      ...COMMON,
      installation: { ...installation(major), binDir },
      dataDir,
    });
    const builtin = factsOf(major).builtinLocaleProvider;
    assert.equal(result.locale, builtin ? "C.UTF-8 (builtin)" : "C (libc)");
    assert.equal(result.warnings.length, builtin ? 0 : 1);
    assert.deepEqual(await readdir(parent), ["data"]);
  });

/**
 * The C library of this machine may have C.UTF-8 within itself and cannot be made to lack it, so a
 * script before the real initdb says what initdb says of any other name that is missing (the next
 * tests have its words on every major).
 */
async function withoutLocale(binDir: string): Promise<string> {
  const directory = await mkdtemp(join(root, "bin-"));
  await writeFile(
    join(directory, "initdb"),
    `#!/bin/sh
for argument; do
  [ "$argument" = --locale=C.UTF-8 ] && { echo 'initdb: invalid locale name "C.UTF-8"' >&2; exit 1; }
done
exec '${binDir}/initdb' "$@"
`,
    { mode: 0o755 },
  );
  return directory;
}

test("an empty directory that is already there becomes the data directory", async () => {
  const { parent, dataDir } = await place();
  await mkdir(dataDir);
  await initData({ ...COMMON, installation: installation(), dataDir });
  assert.deepEqual(await readdir(parent), ["data"]);
  assert.ok((await readdir(dataDir)).includes("PG_VERSION"));
});

test("a directory with anything in it is refused and stays as it was", async () => {
  const { parent, dataDir } = await place();
  await mkdir(dataDir);
  await writeFile(join(dataDir, "precious"), "1");
  await assert.rejects(initData({ ...COMMON, installation: installation(), dataDir }), {
    code: "DIRECTORY_NOT_OURS",
    message: /"precious"/,
  });
  assert.deepEqual(await readdir(dataDir), ["precious"]);
  assert.deepEqual(await readdir(parent), ["data"]);
});

for (const major of testMajors())
  test(`PostgreSQL ${major} says in initdb's own words that a locale is missing, and leaves nothing`, async () => {
    const { parent, dataDir } = await place();
    const options = { ...COMMON, installation: installation(major), dataDir };
    await assert.rejects(initData({ ...options, locale: "xx_XX.UTF-8" }), {
      code: "INITDB_FAILED",
      message: /invalid locale name "xx_XX\.UTF-8"/,
    });
    assert.deepEqual(await readdir(parent), []);
  });

test("a directory that cannot be made or written is said with its name", async () => {
  const { parent } = await place();
  const dataDir = join(parent, "not", "there", "data");
  await assert.rejects(initData({ ...COMMON, installation: installation(), dataDir }), {
    code: "DIRECTORY_NOT_WRITABLE",
  });
});

test("a password with a line break is refused without being shown", async () => {
  const { parent, dataDir } = await place();
  const superuserPassword = new Secret("first\nsecond");
  const options = { ...COMMON, installation: installation(), dataDir, superuserPassword };
  await assert.rejects(initData(options), (thrown: Error) => {
    assert.doesNotMatch(thrown.message, /first|second/);
    return true;
  });
  assert.deepEqual(await readdir(parent), []);
});

test("an abort in the middle ends initdb and leaves nothing", async () => {
  const { parent, dataDir } = await place();
  const controller = new AbortController();
  const done = initData({
    ...COMMON,
    installation: installation(),
    dataDir,
    signal: controller.signal,
  });
  const rejected = assert.rejects(done, /enough of it/);
  await until(async () => (await stagedFiles(parent)) > 20);
  controller.abort(new Error("enough of it"));
  await rejected;
  assert.deepEqual(await readdir(parent), []);
});

test("the password is in no command line, and its file is the owner's and gone afterwards", async () => {
  const { parent, dataDir } = await place();
  const end = new AbortController();
  const done = initData({ ...COMMON, installation: installation(), dataDir }).finally(() => {
    end.abort();
  });
  const seen = { initdb: 0, password: 0, modes: new Set<number>() };
  while (!end.signal.aborted) {
    for (const line of await commandLines()) {
      if (line.includes(parent)) seen.initdb++;
      if (line.includes(PASSWORD)) seen.password++;
    }
    for (const name of await readdir(parent))
      if (name.endsWith(".password")) {
        const file = await stat(join(parent, name)).catch(() => null);
        if (file !== null) seen.modes.add(file.mode & 0o777);
      }
    await delay(5);
  }
  await done;
  assert.ok(seen.initdb > 0, "initdb's command line was seen");
  assert.equal(seen.password, 0);
  assert.deepEqual([...seen.modes], [0o600]);
  assert.deepEqual(await readdir(parent), ["data"]);
});

test("what an initdb left that was killed with its agent is no data, and the next one clears it away", async () => {
  const { parent, dataDir } = await place();
  const agent = spawn(
    process.execPath,
    ["--input-type=module-typescript", "--eval", AGENT, import.meta.url, dataDir],
    { env: { ...process.env, INSTALLATION: JSON.stringify(installation()) }, stdio: "inherit" },
  );
  await until(async () => (await stagedFiles(parent)) > 20);
  agent.kill("SIGKILL");
  await once(agent, "exit");
  assert.equal((await readdir(parent)).includes("data"), false);
  await initData({ ...COMMON, installation: installation(), dataDir });
  assert.deepEqual(await readdir(parent), ["data"]);
});

/** An agent that makes data until it is killed. */
const AGENT = `
const [base, dataDir] = process.argv.slice(-2);
const { initData } = await import(new URL("../../src/postgres/init-data.ts", base).href);
const { Secret } = await import(new URL("../../src/core/secret.ts", base).href);
const installation = JSON.parse(process.env.INSTALLATION);
const superuserPassword = new Secret("secret");
await initData({ installation, dataDir, superuser: "u", superuserPassword, locale: "C" });
`;

async function stagedFiles(parent: string): Promise<number> {
  const staging = (await readdir(parent)).find((name) => /\.initdb-[0-9a-f]+$/.test(name));
  if (staging === undefined) return 0;
  const files = await readdir(join(parent, staging), { recursive: true }).catch(() => []);
  return files.length;
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(lines)).map((line) => line.replaceAll("\0", " "));
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, "the condition came true within 10 s");
    await delay(2);
  }
}

test("a disk that is too slow for it is told of, and nothing is left", async () => {
  const { parent, dataDir } = await place();
  const made = initData({ ...COMMON, installation: installation(), dataDir, syncTimeoutMs: 1 });
  await assert.rejects(made, { code: "TIMED_OUT", message: /not on disk within 0\.001 s$/ });
  assert.deepEqual(await readdir(parent), []);
});
