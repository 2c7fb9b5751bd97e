// Users' parameters judged by the binaries of every major, with no server running and no data
// directory.
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { UnderstudyError } from "../../src/core/errors.ts";
import type { Major } from "../../src/core/spec.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { checkParameters } from "../../src/postgres/settings/check-parameters.ts";
import { checkPreload } from "../../src/postgres/settings/check-preload.ts";
import { describeParameters } from "../../src/postgres/settings/describe-parameters.ts";
import { managedSettings } from "../../src/postgres/settings/managed.ts";
import { installationFor, testMajors } from "../support/installations.ts";

const installations = new Map<Major, Installation>();
const NEWEST = Math.max(...testMajors());
let scratch = "";

before(async () => {
  for (const major of testMajors()) installations.set(major, await installationFor(major));
  scratch = await mkdtemp(join(tmpdir(), "understudy-parameters-"));
});

after(() => rm(scratch, { recursive: true, force: true }));

function installationOf(major: number): Installation {
  const found = [...installations.values()].find((installation) => installation.major === major);
  assert.ok(found);
  return found;
}

function check(major: number, parameters: Record<string, string>, preload: string[] = []) {
  return checkParameters({
    installation: installationOf(major),
    parameters,
    preload,
    memberCount: 3,
  });
}

async function refusal(
  major: number,
  parameters: Record<string, string>,
): Promise<UnderstudyError> {
  try {
    await check(major, parameters);
  } catch (thrown) {
    if (thrown instanceof UnderstudyError) return thrown;
    throw thrown;
  }
  return assert.fail(`${JSON.stringify(parameters)} was accepted`);
}

for (const major of testMajors()) {
  test(`PostgreSQL ${major} accepts what it knows, by its own spelling of the name`, async () => {
    const checked = await check(major, {
      WORK_MEM: "8MB",
      statement_timeout: "5min",
      timezone: "Europe/Berlin",
      max_connections: "200",
      enable_seqscan: "OFF",
      random_page_cost: "1.1",
      archive_command: "cp '%p' \"/b\\c/%f\"",
      synchronous_commit: "off",
      "plpgsql.variable_conflict": "error",
    });
    assert.deepEqual(Object.keys(checked.parameters), [
      "work_mem",
      "statement_timeout",
      "TimeZone",
      "max_connections",
      "enable_seqscan",
      "random_page_cost",
      "archive_command",
      "synchronous_commit",
      "plpgsql.variable_conflict",
    ]);
    assert.deepEqual(checked.needRestart, ["max_connections"]);
    assert.equal(checked.warnings.length, 1);
  });

  test(`PostgreSQL ${major} refuses a wrong value with type, range and unit`, async () => {
    const low = await refusal(major, { work_mem: "1" });
    assert.equal(low.code, "PARAMETER_INVALID");
    assert.match(low.message, /cannot set work_mem to "1" in PostgreSQL \d+: 1 (kB )?is outside/);
    assert.match(low.message, /it takes an integer from 64 to 2147483647/);
    assert.equal(low.details["unit"], major >= 12 ? "kB" : null);
    const unit = await refusal(major, { work_mem: "4 parsec" });
    assert.match(unit.message, /invalid value for parameter "work_mem": "4 parsec"/);
    assert.match(unit.hint, /Valid units for this parameter are .*"kB", "MB"/);
    const word = await refusal(major, { constraint_exclusion: "perhaps" });
    assert.deepEqual(word.details["values"], ["partition", "on", "off"]);
    const flag = await refusal(major, { enable_seqscan: "maybe" });
    assert.match(flag.message, /it takes on or off$/);
    for (const [name, value] of [
      ["TimeZone", "Europe/Atlantis"],
      ["search_path", '"open'],
      ["temp_buffers", ""],
      ["data_checksums", "off"],
      ["server_version", "19"],
    ] as const)
      assert.equal((await refusal(major, { [name]: value })).code, "PARAMETER_INVALID", name);
  });

  test(`PostgreSQL ${major} does not know a mistyped name, and says which is near`, async () => {
    const error = await refusal(major, { wrok_mem: "8MB" });
    assert.equal(error.code, "PARAMETER_UNKNOWN");
    assert.match(error.message, /has no parameter "wrok_mem"; did you mean work_mem\?$/);
    assert.equal((await refusal(major, { qqqqqqqqqq: "1" })).details["nearest"], null);
  });

  test(`PostgreSQL ${major} has every setting of our table, at its own major only`, async () => {
    const known = await describeParameters(installationOf(major));
    // The server keeps these two out of its list, because they cannot stand in the file or belong
    // to an extension.
    const unlisted = new Set(["config_file", "timescaledb.telemetry_level"]);
    for (const { name } of managedSettings(major))
      assert.equal(known.has(name.toLowerCase()) || unlisted.has(name), true, name);
    const ours = new Set(managedSettings(major).map(({ name }) => name));
    const otherMajors = managedSettings(10).concat(managedSettings(NEWEST as Major));
    for (const { name } of otherMajors)
      if (!ours.has(name)) assert.equal(known.has(name), false, `${name} is known to ${major} too`);
  });
}

test("what Understudy manages is refused with the reason, in any spelling", async () => {
  const error = await refusal(NEWEST, { FSync: "off" });
  assert.equal(error.code, "PARAMETER_MANAGED");
  assert.match(error.message, /^cannot set fsync: Understudy sets it itself, because /);
});

test("one parameter in two spellings is refused", async () => {
  const error = await refusal(NEWEST, { work_mem: "8MB", Work_Mem: "9MB" });
  assert.equal(error.message, "work_mem is given twice");
});

test("nothing but a parameter ever reaches a settings file (lesson 50)", async () => {
  for (const name of [
    "include",
    "work_mem = '8MB'\nfsync",
    "work_mem #",
    "x'y",
    "__proto__",
    "a.b.c",
  ])
    assert.equal((await refusal(NEWEST, { [name]: "1" })).code, "PARAMETER_UNKNOWN", name);
  for (const value of ["8MB\nfsync = off", "8MB'\r", "8MB\0"])
    assert.equal((await refusal(NEWEST, { work_mem: value })).code, "PARAMETER_INVALID", value);
  assert.equal(
    (await refusal(NEWEST, { work_mem: "8MB' fsync = 'off" })).code,
    "PARAMETER_INVALID",
  );
});

test("parameters that only together leave no connection are refused", async () => {
  const error = await refusal(NEWEST, {
    max_connections: "30",
    superuser_reserved_connections: "30",
  });
  assert.equal(error.code, "PARAMETER_INVALID");
  assert.match(error.message, /at least \d+ are needed/);
});

test("an extension's parameter needs the extension preloaded", async () => {
  assert.match((await refusal(NEWEST, { "auto_explain.log_analyze": "on" })).hint, /--preload/);
  await check(NEWEST, { "auto_explain.log_analyze": "on" }, ["auto_explain"]);
});

test("binaries that do not describe themselves are said to be unusable", async () => {
  const binDir = join(scratch, "bin");
  await mkdir(binDir);
  await writeFile(join(binDir, "postgres"), "#!/bin/sh\necho 'no library' >&2; exit 127\n");
  await chmod(join(binDir, "postgres"), 0o755);
  await assert.rejects(describeParameters({ ...installationOf(NEWEST), binDir }), {
    code: "POSTGRES_UNUSABLE",
    message: /no library/,
  });
});

test("checking leaves no scratch directory behind", async () => {
  const inherited = process.env["TMPDIR"];
  const directory = await mkdtemp(join(scratch, "tmp-"));
  process.env["TMPDIR"] = directory;
  try {
    await check(NEWEST, { work_mem: "8MB" });
    await refusal(NEWEST, { work_mem: "1" });
  } finally {
    if (inherited === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = inherited;
  }
  assert.deepEqual(await readdir(directory), []);
});

for (const major of testMajors())
  test(`PostgreSQL ${major} has the libraries to preload that come with it`, async () => {
    const libraries = await checkPreload(installationOf(major), [
      "pg_stat_statements",
      "auto_explain",
    ]);
    assert.match(libraries[0]?.version ?? "", /^1\.\d+$/);
    assert.deepEqual(libraries[1], { name: "auto_explain", version: null });
  });

test("a library that is not there is said with the place that was searched and what is near", async () => {
  const installation = installationOf(NEWEST);
  await assert.rejects(checkPreload(installation, ["pg_stat_statement"]), (thrown) => {
    assert.ok(thrown instanceof UnderstudyError);
    assert.equal(thrown.code, "PRELOAD_MISSING");
    assert.ok(thrown.message.includes(installation.libDir));
    assert.match(thrown.message, /did you mean pg_stat_statements\?$/);
    assert.match(thrown.hint, /auto_explain, /);
    assert.doesNotMatch(thrown.hint, /_and_|plpgsql|libpqwalreceiver/);
    return true;
  });
  await assert.rejects(checkPreload(installation, ["timescaledb"]), { code: "PRELOAD_MISSING" });
});

test("only a plain name can be a library to preload", async () => {
  const names = [
    "../x",
    "/etc/x",
    "$libdir/auto_explain",
    "a,b",
    "a b",
    "",
    "-x",
    "auto_explain.so",
  ];
  for (const name of names)
    await assert.rejects(checkPreload(installationOf(NEWEST), [name]), {
      code: "PRELOAD_MISSING",
      message: /is no name of a library/,
    });
});
