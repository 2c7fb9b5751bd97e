// What a new cluster's data holds before anything runs on it, on every major.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { firstStatements } from "../../src/agent/first-objects.ts";
import { Secret } from "../../src/core/secret.ts";
import type { Major } from "../../src/core/spec.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import { initData } from "../../src/postgres/init-data.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { runOffline } from "../../src/postgres/offline-statements.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { installationFor, testMajors } from "../support/installations.ts";

const SECRETS = {
  superuser: new Secret("super"),
  replication: new Secret("replicated"),
  application: new Secret("applied"),
  apiToken: new Secret("token"),
};
const MAJORS = testMajors().filter((major) => major >= 12);
const installations = new Map<Major, Installation>();
let root = "";

before(async () => {
  for (const major of [...MAJORS, 15 as const])
    installations.set(major, await installationFor(major));
  await dropPrivileges();
  root = await mkdtemp(join(tmpdir(), "understudy-first-"));
});

after(() => rm(root, { recursive: true, force: true }));

for (const major of MAJORS)
  test(`PostgreSQL ${major} makes the roles and the applications' database without a server, numbered as users' objects`, async () => {
    const made = await makeData(major);
    const roles = await valuesOf(
      made,
      "SELECT rolname || '=' || left(rolpassword, 14) AS value FROM pg_authid WHERE rolcanlogin AND rolname <> 'postgres' ORDER BY rolname",
    );
    assert.deepEqual(roles, [
      "app=SCRAM-SHA-256$",
      "understudy_replication=SCRAM-SHA-256$",
      "understudy_rewind=SCRAM-SHA-256$",
    ]);
    const [database] = await valuesOf(
      made,
      "SELECT pg_get_userbyid(datdba) || ' ' || pg_encoding_to_char(encoding) AS value FROM pg_database WHERE datname = 'app'",
    );
    assert.equal(database, "app UTF8");
    const [locales] = await valuesOf(
      made,
      "SELECT count(DISTINCT datcollate || ' ' || datctype) AS value FROM pg_database",
    );
    assert.equal(locales, "1");
    const low = await valuesOf(
      made,
      "SELECT rolname AS value FROM pg_authid WHERE oid < 16384 AND rolname !~ '^(pg_|postgres$)' UNION ALL SELECT datname FROM pg_database WHERE oid < 16384 AND datname = 'app'",
    );
    assert.deepEqual(low, []);
    const [mayRead] = await valuesOf(
      made,
      "SELECT has_function_privilege('understudy_rewind', 'pg_read_binary_file(text)', 'EXECUTE') AS value",
    );
    assert.equal(mayRead, "t");
    assert.equal((await readControlData(made.dataDir)).state, "shut down");
  });

test("a statement that fails leaves nothing, and neither it nor what it holds is told", async () => {
  const installation = installationOf(15);
  const parent = await mkdtemp(join(root, "member-"));
  const statements = ["CREATE ROLE app PASSWORD 'hidden'", "CREATE ROLE app PASSWORD 'hidden'"];
  const making = initData({ ...common(parent), installation, statements: async () => statements });
  await assert.rejects(making, (thrown: Error & { code?: string; details?: unknown }) => {
    assert.equal(thrown.code, "INITDB_FAILED");
    assert.match(
      thrown.message,
      /postgres --single ended with status 1: .*role "app" already exists/,
    );
    assert.doesNotMatch(`${thrown.message} ${JSON.stringify(thrown.details)}`, /hidden|PASSWORD/);
    return true;
  });
  assert.deepEqual(await readdir(parent), []);
});

test("an abort while statements run ends them and leaves nothing", async () => {
  const parent = await mkdtemp(join(root, "member-"));
  const controller = new AbortController();
  const statements = async () => {
    // They run when this has been said.
    setTimeout(() => controller.abort(new Error("enough of it")), 50);
    return ["SELECT pg_sleep(600)"];
  };
  const { signal } = controller;
  const making = initData({
    ...common(parent),
    installation: installationOf(15),
    statements,
    signal,
  });
  await assert.rejects(making, /enough of it/);
  assert.deepEqual(await readdir(parent), []);
});

interface Made {
  readonly dataDir: string;
  readonly installation: Installation;
}

async function makeData(major: Major): Promise<Made> {
  const parent = await mkdtemp(join(root, "member-"));
  const installation = installationOf(major);
  const statements = async () => firstStatements({ major, secrets: SECRETS });
  await initData({ ...common(parent), installation, statements });
  assert.deepEqual(await readdir(parent), ["data"]);
  return { dataDir: join(parent, "data"), installation };
}

function common(parent: string) {
  const superuser = { superuser: "postgres", superuserPassword: SECRETS.superuser };
  return { ...superuser, dataDir: join(parent, "data"), locale: "C.UTF-8" };
}

function installationOf(major: Major): Installation {
  const found = installations.get(major);
  assert.ok(found);
  return found;
}

/** What the single-user mode prints: `1: value = "app"	(typeid = …`. */
async function valuesOf(made: Made, query: string): Promise<string[]> {
  const { status, stdout, stderr } = await runOffline({
    ...made,
    database: "postgres",
    statements: [query],
    timeoutMs: 60_000,
  });
  assert.equal(status, 0, stderr);
  return [...stdout.matchAll(/1: value = "([^"]*)"/g)].map(([, value = ""]) => value);
}
