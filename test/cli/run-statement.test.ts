// The built-in sql against a real server: several results, notices, refusals, COPY, cancelling.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { UnderstudyError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import type { StatementResult } from "../../src/cli/screens/sql-result.ts";
import { runStatement, type SqlTarget } from "../../src/cli/sql/run-statement.ts";
import { BareServer } from "../support/bare-server.ts";
import { installationFor } from "../support/installations.ts";

const NEVER = new AbortController().signal;

describe("the built-in sql", () => {
  let server: BareServer;
  let target: SqlTarget;

  before(async () => {
    server = await BareServer.make({ installation: await installationFor(15) });
    await server.start();
    target = {
      member: "demo-1",
      host: "127.0.0.1",
      port: server.port,
      user: "postgres",
      database: "postgres",
      password: new Secret(""),
    };
  });

  after(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function run(text: string, limits: { signal?: AbortSignal; timeoutMs?: number } = {}) {
    const results: StatementResult[] = [];
    const notices: string[] = [];
    let copied = "";
    let thrown: unknown = null;
    await runStatement(
      { text, target },
      {
        onResult: (result) => results.push(result),
        onNotice: (notice) => notices.push(notice),
        onCopyData: (chunk) => {
          copied += Buffer.from(chunk).toString("utf8");
        },
      },
      { signal: limits.signal ?? NEVER, timeoutMs: limits.timeoutMs ?? 0 },
    ).catch((error: unknown) => {
      thrown = error;
    });
    return { results, notices, copied, thrown };
  }

  it("gives each statement's own result, text as PostgreSQL wrote it", async () => {
    const { results, thrown } = await run(
      "CREATE TABLE t (id int, name text); INSERT INTO t VALUES (1, NULL), (2, 'b'); TABLE t; SELECT 1.10 AS n",
    );
    assert.equal(thrown, null);
    assert.deepEqual(
      results.map((result) => result.tag),
      ["CREATE TABLE", "INSERT 0 2", "SELECT 2", "SELECT 1"],
    );
    assert.deepEqual(results[2]?.rows, [
      ["1", null],
      ["2", "b"],
    ]);
    assert.deepEqual(results[3]?.columns, [{ name: "n", typeOid: 1700 }]);
    assert.deepEqual(results[3]?.rows, [["1.10"]]);
  });

  it("leaves the session's settings alone", async () => {
    const { results } = await run("SHOW search_path");
    assert.deepEqual(results[0]?.rows, [['"$user", public']]);
  });

  it("passes notices and COPY data on, and refuses COPY FROM STDIN without hanging", async () => {
    const { notices, copied } = await run(
      "DROP TABLE IF EXISTS missing; COPY (SELECT 1, 'x') TO STDOUT",
    );
    assert.deepEqual(notices, ['NOTICE: table "missing" does not exist, skipping']);
    assert.equal(copied, "1\tx\n");
    const refused = await run("CREATE TEMP TABLE c (a int); COPY c FROM STDIN");
    assert.ok(refused.thrown instanceof UnderstudyError);
    assert.match(refused.thrown.message, /no input for COPY FROM STDIN/);
  });

  it("gives what came before a mistake, then the mistake with its state and place", async () => {
    const { results, thrown } = await run("SELECT 1;\nSELECT * FROM nowhere");
    assert.equal(results.length, 1);
    assert.ok(thrown instanceof UnderstudyError);
    assert.equal(thrown.code, "SQL_FAILED");
    assert.deepEqual(thrown.details, {
      sqlstate: "42P01",
      position: 25,
      excerpt: "LINE 2: SELECT * FROM nowhere\n                      ^",
    });
  });

  it("cancels the statement on the server when the signal comes", async () => {
    const controller = new AbortController();
    const running = run("SELECT pg_sleep(60)", { signal: controller.signal });
    const asking = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    const deadline = performance.now() + 10_000;
    while ((await server.value(asking)) !== "1") assert.ok(performance.now() < deadline);
    controller.abort();
    const { thrown } = await running;
    assert.ok(thrown instanceof UnderstudyError);
    assert.equal(thrown.code, "INTERRUPTED");
    assert.equal(await server.value(asking), "0");
  });

  it("keeps to a limit that was given", async () => {
    const { thrown } = await run("SELECT pg_sleep(60)", { timeoutMs: 50 });
    assert.ok(thrown instanceof UnderstudyError);
    assert.equal(thrown.details["sqlstate"], "57014");
  });

  it("says where it could not connect, and never the password", async () => {
    const listener = { onResult: () => {}, onNotice: () => {}, onCopyData: () => {} };
    const elsewhere = { ...target, port: 1, password: new Secret("hunter2") };
    await assert.rejects(
      runStatement({ text: "SELECT 1", target: elsewhere }, listener, {
        signal: NEVER,
        timeoutMs: 0,
      }),
      (error: unknown) => {
        assert.ok(error instanceof UnderstudyError);
        assert.equal(error.code, "CONNECTION_FAILED");
        assert.match(error.message, /demo-1 at 127\.0\.0\.1:1 as postgres/);
        assert.doesNotMatch(JSON.stringify(error), /hunter2/);
        return true;
      },
    );
  });

  it("ends with an error when the server goes away in the middle", async () => {
    const { thrown } = await run("SELECT pg_terminate_backend(pg_backend_pid())");
    assert.ok(thrown instanceof UnderstudyError);
    assert.equal(thrown.details["sqlstate"], "57P01");
  });
});
