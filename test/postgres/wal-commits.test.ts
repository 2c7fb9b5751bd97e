// Commits in a piece of WAL as we count them, on every major, against pg_waldump and against what
// was done.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLsn } from "../../src/core/lsn.ts";
import { readTransactions } from "../../src/postgres/rewind/read-transactions.ts";
import { findWalEnd } from "../../src/postgres/wal-end.ts";
import { BareServer } from "../support/bare-server.ts";
import { installationFor, testMajors } from "../support/installations.ts";

for (const major of testMajors())
  test(`PostgreSQL ${major}: every commit is counted, prepared ones too, and nothing else is`, async () => {
    const installation = await installationFor(major);
    await using server = await BareServer.make({
      installation,
      settings: { autovacuum: "off", max_prepared_transactions: "5" },
    });
    await server.start();
    await server.row("CREATE TABLE public.t (n int)");
    await server.row("CHECKPOINT");
    const before = parseLsn(String(await server.value("SELECT pg_current_wal_insert_lsn()")));
    const client = await server.client();
    for (let n = 0; n < 40; n++) await client.query(`INSERT INTO public.t VALUES (${n})`);
    for (const end of ["COMMIT PREPARED 'one'", "ROLLBACK PREPARED 'one'"]) {
      await client.query("BEGIN; INSERT INTO public.t VALUES (-1); PREPARE TRANSACTION 'one'");
      await client.query(end);
    }
    await client.query("BEGIN; INSERT INTO public.t VALUES (-2); ROLLBACK");
    await server.kill();
    const { endLsn, timeline, commits } = await findWalEnd(server.dataDir, {
      countCommitsFrom: before,
    });
    assert.deepEqual([commits.count, commits.isWhole], [41, true]);
    assert.equal(commits.bytes, Number(endLsn - before));
    const range = { walDir: `${server.dataDir}/pg_wal`, timeline, from: before, to: endLsn };
    const dumped = await readTransactions(installation, range, AbortSignal.timeout(30_000));
    if (dumped !== null) assert.equal(dumped.commits, 41);
    const earlier = await findWalEnd(server.dataDir, { countCommitsFrom: parseLsn("0/1000028") });
    assert.equal(earlier.commits.isWhole, false);
  });
