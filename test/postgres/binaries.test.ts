// Finding PostgreSQL among real installations: places are built of links to real programs, and
// every answer comes from running them.
import assert from "node:assert/strict";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, after, before, describe, it } from "node:test";
import { Client } from "pg";
import type { UnderstudyError } from "../../src/core/errors.ts";
import {
  type FindOptions,
  findInstallation,
  listCandidates,
} from "../../src/postgres/binaries/find-installation.ts";
import { isUsable, probeInstallation } from "../../src/postgres/binaries/probe-installation.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import {
  installationFor,
  npmInstallationFor,
  testCacheDir,
  testMajors,
} from "../support/installations.ts";
import { testDirectory, testUser } from "../support/test-user.ts";

let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "understudy-places-"));
  await chmod(root, 0o755);
});
after(() => rm(root, { recursive: true, force: true }));

/** A place with links to the programs of a real installation, as packagings make them. */
async function placeOf(installation: Installation, ...path: readonly string[]): Promise<string> {
  const binDir = join(root, ...path);
  await mkdir(binDir, { recursive: true });
  for (const name of ["postgres", "initdb", ...installation.tools])
    await symlink(join(installation.binDir, name), join(binDir, name));
  return binDir;
}

async function searched(t: TestContext, change: Partial<FindOptions> = {}): Promise<FindOptions> {
  const cacheDir = await mkdtemp(join(root, "cache-"));
  t.after(() => rm(cacheDir, { recursive: true, force: true }));
  return { env: { PATH: "/nonexistent" }, cacheDir, places: [], offline: true, ...change };
}

/** A directory of programs that are shell scripts: to try what no build at hand does. */
async function scripts(name: string, programs: Readonly<Record<string, string>>): Promise<string> {
  const binDir = join(root, name);
  await mkdir(binDir, { recursive: true });
  for (const [program, body] of Object.entries(programs))
    await writeFile(join(binDir, program), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return binDir;
}

describe("proving an installation", () => {
  for (const major of testMajors())
    it(`finds ${major} complete: it makes a data directory, starts and answers`, async (t) => {
      const installation = await installationFor(major);
      assert.equal(installation.major, major);
      assert.match(await readFile(join(installation.shareDir, "postgres.bki"), "utf8"), /^# Postg/);
      assert.equal(await serverVersion(t, installation), installation.version);
    });

  it("names the library that is missing", async (t) => {
    const whole = await npmInstallationFor(18);
    const tree = await mkdtemp(join(root, "torn-"));
    t.after(() => rm(tree, { recursive: true, force: true }));
    await cp(join(whole.binDir, ".."), tree, { recursive: true, verbatimSymlinks: true });
    await rm(join(tree, "lib", "libicui18n.so.60"));
    const probed = await probeInstallation(join(tree, "bin"));
    assert.deepEqual(probed, {
      unusable: "postgres does not run: libicui18n.so.60 is missing",
      missing: ["libicui18n.so.60"],
    });
  });

  it("names the programs that are missing", async () => {
    const empty = await scripts("empty", {});
    assert.deepEqual(await probeInstallation(empty), {
      unusable: "postgres and initdb are not there",
      missing: ["postgres", "initdb"],
    });
  });

  it("finds out that the share directory is of another major or gone", async (t) => {
    const whole = await npmInstallationFor(17);
    const tree = await mkdtemp(join(root, "shareless-"));
    t.after(() => rm(tree, { recursive: true, force: true }));
    await cp(whole.binDir, join(tree, "bin"), { recursive: true });
    await cp(join(whole.binDir, "..", "lib"), join(tree, "lib"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await mkdir(join(tree, "share/postgresql"), { recursive: true });
    await writeFile(join(tree, "share/postgresql/postgres.bki"), "# PostgreSQL 16\n");
    const probed = await probeInstallation(join(tree, "bin"));
    assert.ok(!isUsable(probed));
    assert.match(probed.unusable, /share\/postgres\.bki of version 17 cannot be found/);
    assert.equal(probed.version, whole.version);
  });

  it("refuses programs that are not PostgreSQL, disagree, hang, or are of an unknown major", async () => {
    const cases: readonly [Readonly<Record<string, string>>, RegExp][] = [
      [
        { postgres: "echo hello", initdb: "echo hello" },
        /did not answer as PostgreSQL does: hello/,
      ],
      [
        {
          postgres: "echo 'postgres (PostgreSQL) 15.3'",
          initdb: "echo 'initdb (PostgreSQL) 15.4'",
        },
        /initdb is of version 15\.4 but postgres of 15\.3/,
      ],
      [
        { postgres: "echo 'postgres (PostgreSQL) 9.6.24'", initdb: "echo '(PostgreSQL) 9.6.24'" },
        /version 9\.6 is none of the supported majors 10 to 18/,
      ],
      [{ postgres: "sleep 30", initdb: "sleep 30" }, /did not end within 300 ms/],
    ];
    for (const [at, [programs, expected]] of cases.entries()) {
      const probed = await probeInstallation(await scripts(`odd-${at}`, programs), {
        timeoutMs: 300,
      });
      assert.ok(!isUsable(probed));
      assert.match(probed.unusable, expected);
    }
  });

  it("says when the programs are built for another machine", async () => {
    const binDir = await scripts("foreign", {});
    const header = Buffer.alloc(4096);
    header.write("\x7fELF\x02\x01\x01", "latin1");
    header.writeUInt16LE(22, 18);
    for (const name of ["postgres", "initdb"])
      await writeFile(join(binDir, name), header, { mode: 0o755 });
    const probed = await probeInstallation(binDir);
    assert.ok(!isUsable(probed));
    assert.match(probed.unusable, /^postgres does not run: it is built for linux-glibc-s390x/);
  });

  it("says when the loader that the programs need is not there, as on Alpine", async () => {
    const { binDir } = await npmInstallationFor(18);
    const program = await readFile(join(binDir, "initdb"));
    const loader = /\/lib[^\0]*\/ld-[^\0]+/.exec(program.toString("latin1"));
    assert.ok(loader);
    program.write("/nowhere", loader.index, "latin1");
    const torn = await scripts("loaderless", {});
    for (const name of ["postgres", "initdb"])
      await writeFile(join(torn, name), program, { mode: 0o755 });
    const probed = await probeInstallation(torn);
    assert.ok(!isUsable(probed));
    assert.match(probed.unusable, /the loader that it was built for is not on this system/);
  });

  it("stops when it is told to", async () => {
    const binDir = await scripts("slow", { postgres: "sleep 30", initdb: "sleep 30" });
    await assert.rejects(probeInstallation(binDir, { signal: AbortSignal.timeout(200) }), {
      name: "TimeoutError",
    });
  });
});

describe("finding PostgreSQL", () => {
  it("uses the one that is named by --pg-bin before the environment's and the system's", async (t) => {
    const seventeen = await npmInstallationFor(17);
    const eighteen = await npmInstallationFor(18);
    const options = await searched(t, { env: { UNDERSTUDY_PG_BIN: eighteen.binDir } });
    const byEnvironment = await findInstallation(options);
    assert.equal(byEnvironment.source, "environment");
    assert.equal(byEnvironment.installation.version, eighteen.version);
    const byFlag = await findInstallation({ ...options, pgBin: seventeen.binDir });
    assert.equal(byFlag.source, "flag");
    assert.equal(byFlag.reason, "named by --pg-bin");
    assert.deepEqual(byFlag.installation, seventeen);
  });

  it("understands the directory above bin as well", async (t) => {
    const { binDir } = await npmInstallationFor(18);
    const found = await findInstallation(await searched(t, { pgBin: join(binDir, "..") }));
    assert.equal(found.installation.binDir, binDir);
  });

  it("refuses a named one that does not serve, and takes no other for it", async (t) => {
    const { binDir } = await npmInstallationFor(18);
    const options = await searched(t, { env: process.env, cacheDir: testCacheDir() });
    await assert.rejects(findInstallation({ ...options, pgBin: "/nonexistent" }), {
      code: "POSTGRES_UNUSABLE",
      exit: 3,
      message:
        "cannot use the PostgreSQL in /nonexistent (named by --pg-bin): postgres and initdb are not there",
    });
    await assert.rejects(findInstallation({ ...options, pgBin: binDir, major: 16 }), {
      code: "POSTGRES_UNUSABLE",
      message: /it is PostgreSQL 18\.\d+ but 16 is wanted/,
    });
    await assert.rejects(
      findInstallation({ ...options, pgBin: binDir, major: 18, family: "linux-musl-x64-icu74" }),
      { code: "BINARIES_DIFFER" },
    );
  });

  it("takes the newest of the usual places, or the major that was asked for", async (t) => {
    const sixteen = await placeOf(await npmInstallationFor(16), "usr/lib/postgresql/16/bin");
    const seventeen = await placeOf(await npmInstallationFor(17), "usr/lib/postgresql/17/bin");
    const options = await searched(t, { places: [join(root, "usr/lib/postgresql/*/bin")] });
    const newest = await findInstallation(options);
    assert.equal(newest.installation.binDir, seventeen);
    assert.equal(newest.source, "system");
    assert.equal(newest.reason, "found in its usual place");
    const asked = await findInstallation({ ...options, major: 16 });
    assert.equal(asked.installation.binDir, sixteen);
  });

  it("finds one on PATH, and by the pg_config on PATH first", async (t) => {
    const binDir = await placeOf(await npmInstallationFor(18), "opt/local/bin");
    const options = await searched(t, { env: { PATH: `relative:/nonexistent:${binDir}` } });
    assert.equal((await findInstallation(options)).reason, "found on PATH");
    const asked = await scripts("with-pg-config", { pg_config: `echo ${binDir}` });
    const found = await findInstallation({ ...options, env: { PATH: `${asked}:/usr/bin:/bin` } });
    assert.equal(found.reason, "found by pg_config");
    assert.equal(found.installation.binDir, binDir);
  });

  it("looks into the cache when the system has none, and never beyond it when offline", async (t) => {
    const options = await searched(t, { cacheDir: testCacheDir() });
    const eighteen = await npmInstallationFor(18);
    const found = await findInstallation({ ...options, major: 18 });
    assert.deepEqual(found.installation, eighteen);
    assert.equal(found.source, "cache");
    await assert.rejects(
      findInstallation({ ...options, major: 18, cacheDir: join(root, "no-cache") }),
      {
        code: "POSTGRES_NOT_FOUND",
        exit: 3,
        message:
          "no usable PostgreSQL 18 is on this machine, and --offline forbids to download one",
      },
    );
  });

  it("passes over builds of another family than the data's", async (t) => {
    await npmInstallationFor(18);
    const options = await searched(t, { cacheDir: testCacheDir(), major: 18 });
    await assert.rejects(findInstallation({ ...options, family: "linux-musl-x64-icu74" }), {
      code: "POSTGRES_NOT_FOUND",
      message: /the data were made by linux-musl-x64-icu74/,
    });
  });

  it("refuses Alpine with the command that installs PostgreSQL there", async (t) => {
    const alpine = { os: "linux", arch: "x64", libc: "musl" } as const;
    const options = await searched(t, { offline: false, host: alpine, major: 16 });
    await assert.rejects(findInstallation(options), (error: UnderstudyError) => {
      assert.equal(error.code, "PLATFORM_UNSUPPORTED");
      assert.match(error.message, /no ready-made binaries for linux x64 with musl/);
      assert.match(error.hint, /apk add postgresql16/);
      return true;
    });
  });

  it("lists every candidate with its verdict, and the one that would be used", async (t) => {
    const good = await placeOf(await npmInstallationFor(17), "listed/17/bin");
    const torn = await scripts("listed/18/bin", { postgres: "exit 1" });
    const options = await searched(t, { places: [join(root, "listed/*/bin")], offline: false });
    const candidates = await listCandidates(options);
    const byPlace = new Map(candidates.map((candidate) => [candidate.binDir, candidate]));
    assert.equal(byPlace.get(good)?.verdict, "chosen");
    assert.equal(byPlace.get(torn)?.verdict, "unusable");
    assert.deepEqual(byPlace.get(torn)?.missing, ["initdb"]);
    assert.equal(byPlace.get(undefined)?.source, "download");
    assert.equal(byPlace.get(undefined)?.verdict, "usable");
    const wanted = await listCandidates({ ...options, major: 16 });
    assert.equal(wanted.find(({ binDir }) => binDir === good)?.verdict, "unsuitable");
    assert.equal(wanted.at(-1)?.verdict, "chosen");
    for (const { why } of [...candidates, ...wanted]) assert.notEqual(why, "");
  });
});

describe("an installation for another user", () => {
  it("is unusable when that user cannot reach it", async (t) => {
    const user = await testUser();
    const binDir = await placeOf(await npmInstallationFor(18), "closed/bin");
    await chmod(join(root, "closed"), user === undefined ? 0o000 : 0o700);
    t.after(() => chmod(join(root, "closed"), 0o755));
    const probed = await probeInstallation(binDir, user === undefined ? {} : { runAs: user });
    assert.ok(!isUsable(probed));
    assert.match(
      probed.unusable,
      user === undefined ? /are not there/ : /user \d+ may not reach or execute it/,
    );
  });
});

/** Makes a data directory, starts it on a socket of its own, asks it, stops it. */
async function serverVersion(t: TestContext, installation: Installation): Promise<string> {
  const user = await testUser();
  const directory = await testDirectory(user);
  t.after(() => rm(directory, { recursive: true, force: true }));
  const data = join(directory, "data");
  const run = async (name: string, args: readonly string[]): Promise<void> => {
    const program = join(installation.binDir, name);
    const env = { ...process.env, LC_ALL: "C" };
    const result = await runProgram({ program, args, env, cwd: "/", timeoutMs: 60_000, ...user });
    assert.equal(result.status, 0, `${name}: ${result.stdout}${result.stderr}`);
  };
  await run("initdb", ["-D", data, "-N", "-A", "trust", "-U", "understudy"]);
  const options = `-c listen_addresses='' -c unix_socket_directories='${directory}'`;
  await run("pg_ctl", ["-D", data, "-w", "-l", join(directory, "log"), "-o", options, "start"]);
  try {
    const client = new Client({ host: directory, user: "understudy", database: "postgres" });
    await client.connect();
    try {
      const { rows } = await client.query("show server_version");
      return String(rows[0]?.server_version).split(" ")[0] ?? "";
    } finally {
      await client.end();
    }
  } finally {
    await run("pg_ctl", ["-D", data, "-w", "-m", "fast", "stop"]);
  }
}
