// Copies of real servers of every major: complete, verified, and good for a standby that streams.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstat, mkdir, readFile, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Progress } from "../../src/core/member-status.ts";
import { cloneDataDirectory } from "../../src/postgres/base-backup/clone.ts";
import { readMarker } from "../../src/postgres/base-backup/marker.ts";
import { installationFor, testMajors } from "../support/installations.ts";
import {
  eventually,
  giveAway,
  startPrimary,
  startStandby,
  workDirectory,
} from "./base-backup-server.ts";

describe("the copy of a server", () => {
  for (const major of testMajors())
    test(`of PostgreSQL ${major} is complete, private, and streams with its tablespace`, async () => {
      await using work = await workDirectory();
      const installation = await installationFor(major);
      const dataDir = join(work.path, "copy", "data");
      const space = join(work.path, "space");
      await mkdir(space);
      await mkdir(join(work.path, "copy"));
      await giveAway(space);
      await using primary = await startPrimary({
        installation,
        dataDir: join(work.path, "source"),
      });
      await primary.sql(`CREATE TABLESPACE far LOCATION '${space}'`);
      await primary.sql("CREATE TABLE public.near_rows AS SELECT generate_series(1, 300000) AS n");
      await primary.sql(
        "CREATE TABLE public.far_rows TABLESPACE far AS SELECT n FROM public.near_rows",
      );
      await mkdir(join(work.path, "source", "base", "empty"));
      await giveAway(join(work.path, "source", "base", "empty"));
      const oid = await primary.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'far'");
      const reports: Progress[] = [];

      const result = await cloneDataDirectory({
        source: primary.source,
        dataDir,
        stagingDir: `${dataDir}.staging`,
        label: "it's a copy",
        slot: "copy_slot",
        expectedSystemId: await primary.systemId(),
        tablespaceRoot: join(work.path, "copy", "tablespaces"),
        onProgress: (progress) => void reports.push(progress),
        signal: AbortSignal.timeout(60_000),
      });

      assert.equal(result.manifestVerified, major >= 13);
      assert.equal(result.timeline, 1);
      assert.ok(result.bytes > 30_000_000 && result.files > 900, JSON.stringify(result));
      checkReports(reports, result.bytes);
      assert.equal(await readMarker(dataDir), null);
      const label = await readFile(join(dataDir, "backup_label"), "utf8");
      assert.match(label, /LABEL: it's a copy/);
      assert.deepEqual(await readdir(join(dataDir, "base", "empty")), []);
      const link = join(dataDir, "pg_tblspc", oid ?? "");
      assert.equal(await readlink(link), join(work.path, "copy", "tablespaces", oid ?? ""));
      for (const each of [dataDir, join(dataDir, "base"), await readlink(link)])
        assert.equal((await lstat(each)).mode & 0o777, 0o700, each);
      assert.equal((await lstat(join(dataDir, "PG_VERSION"))).mode & 0o777, 0o600);
      if (installation.tools.includes("pg_verifybackup"))
        execFileSync(join(installation.binDir, "pg_verifybackup"), ["-n", dataDir]);

      // Beyond the copy's WAL, which only the slot keeps.
      await primary.sql("SELECT pg_switch_wal()");
      await primary.sql("CHECKPOINT");
      await giveAway(join(work.path, "copy"));
      await using standby = await startStandby({
        installation,
        dataDir,
        primary,
        slot: "copy_slot",
      });
      await primary.sql("INSERT INTO public.far_rows VALUES (7)");
      await eventually("the standby has the new row", async () => {
        const rows = await standby.sql(
          "SELECT (SELECT count(*) FROM public.far_rows) + (SELECT count(*) FROM public.near_rows)",
        );
        return rows === "600001";
      });
      assert.equal(await standby.sql("SELECT pg_is_in_recovery()"), "true");
      assert.equal(
        await primary.sql("SELECT state || ' ' || application_name FROM pg_stat_replication"),
        "streaming copy",
      );
    });
});

function checkReports(reports: readonly Progress[], bytes: number): void {
  const cloning = reports.filter(
    ({ step, bytesTotal }) => step === "cloning" && bytesTotal !== null,
  );
  const totals = cloning.map(({ bytesTotal }) => bytesTotal ?? 0);
  assert.ok(Math.max(...totals) > bytes * 0.8 && Math.max(...totals) < bytes * 1.3, `${totals}`);
  assert.ok(reports.every(({ bytesDone }) => bytesDone !== null && bytesDone <= bytes));
  assert.deepEqual([...new Set(reports.map(({ step }) => step))], ["cloning", "syncing"]);
}
