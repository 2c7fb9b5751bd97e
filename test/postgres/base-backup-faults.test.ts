// What a base backup does when something goes wrong at any byte: nothing is left that could be
// started, nothing of anybody else's is touched, and the next attempt succeeds.
import assert from "node:assert/strict";
import { execFileSync, fork } from "node:child_process";
import { access, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { UnderstudyError, type ErrorCode } from "../../src/core/errors.ts";
import type { Progress } from "../../src/core/member-status.ts";
import { type CloneOptions, cloneDataDirectory } from "../../src/postgres/base-backup/clone.ts";
import { markerPath, readMarker, writeMarker } from "../../src/postgres/base-backup/marker.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import { installationFor } from "../support/installations.ts";
import { faultyProxy } from "./base-backup-proxy.ts";
import { type TestServer, eventually, startPrimary, workDirectory } from "./base-backup-server.ts";
import type { SmallDiskOutcome } from "./base-backup-small-disk-child.ts";

const NEEDLE = "a row that travels in the base backup";

describe("a base backup that goes wrong", () => {
  let work: Awaited<ReturnType<typeof workDirectory>>;
  let installation: Installation;
  let primary: TestServer;
  let systemId: string;

  before(async () => {
    work = await workDirectory();
    installation = await installationFor(15);
    primary = await startPrimary({ installation, dataDir: join(work.path, "source") });
    await primary.sql(
      `CREATE TABLE public.rows AS SELECT '${NEEDLE}' FROM generate_series(1, 400000)`,
    );
    await primary.sql("CHECKPOINT");
    systemId = await primary.systemId();
  });

  after(async () => {
    await primary?.[Symbol.asyncDispose]();
    await work?.[Symbol.asyncDispose]();
  });

  /** A member's place of its own for each test. */
  async function place(name: string): Promise<string> {
    const directory = join(work.path, name);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory);
    return join(directory, "data");
  }

  function optionsFor(dataDir: string, changes: Partial<CloneOptions> = {}): CloneOptions {
    return {
      source: primary.source,
      dataDir,
      stagingDir: `${dataDir}.staging`,
      label: "test",
      expectedSystemId: systemId,
      tablespaceRoot: `${dataDir}.tablespaces`,
      onProgress: () => {},
      signal: AbortSignal.timeout(60_000),
      ...changes,
    };
  }

  async function assertNothingLeft(dataDir: string): Promise<void> {
    assert.deepEqual(await readdir(dirname(dataDir)), []);
    await eventually("no walsender is left", async () => {
      return (await primary.sql("SELECT count(*) FROM pg_stat_replication")) === "0";
    });
  }

  const slots = (): Promise<string | null> =>
    primary.sql("SELECT string_agg(slot_name, ',') FROM pg_replication_slots");

  test("an abort at the start, in the middle or at the end takes everything back", async () => {
    const dataDir = await place("abort");
    for (const moment of ["start", "first bytes", "middle", "syncing"]) {
      const controller = new AbortController();
      const reason = new Error(`aborted at ${moment}`);
      const copying = cloneDataDirectory(
        optionsFor(dataDir, {
          slot: "aborted",
          rateLimitBytesPerSecond: 60 << 20,
          signal: controller.signal,
          onProgress: ({ step, bytesDone, bytesTotal }) => {
            const done = (bytesDone ?? 0) / (bytesTotal ?? Number.POSITIVE_INFINITY);
            const wanted =
              (moment === "start" && step === "cloning") ||
              (moment === "first bytes" && done > 0) ||
              (moment === "middle" && done > 0.4) ||
              moment === step;
            if (wanted) controller.abort(reason);
          },
        }),
      );
      await assert.rejects(copying, reason, moment);
      await assertNothingLeft(dataDir);
      assert.equal(await slots(), null);
    }
    const early = optionsFor(dataDir, { signal: AbortSignal.abort(new Error("too early")) });
    await assert.rejects(cloneDataDirectory(early), /too early/);
    assert.deepEqual(await readdir(dirname(dataDir)), []);
  });

  test("a SIGKILL at any moment leaves nothing that could be started, and the next attempt succeeds", async () => {
    const dataDir = await place("killed");
    const anywhere = Array.from({ length: 4 }, () => Math.floor(Math.random() * 38_000_000));
    for (const bytes of [0, ...anywhere]) {
      assert.equal(await killedClone(dataDir, bytes), "SIGKILL", `it ended before ${bytes} bytes`);
      // Half made: the marker says so, and what there is is not at the data directory's place.
      assert.notEqual(await readMarker(dataDir), null, `killed at ${bytes} bytes`);
      await assert.rejects(access(join(dataDir, "PG_VERSION")), `killed at ${bytes} bytes`);
    }
    // In the last step it may have got through; without a marker the copy is whole.
    await killedClone(dataDir, "syncing");
    if ((await readMarker(dataDir)) === null) {
      execFileSync(join(installation.binDir, "pg_verifybackup"), ["-n", dataDir]);
      await rm(dataDir, { recursive: true });
    }
    const result = await cloneDataDirectory(optionsFor(dataDir));
    assert.equal(result.manifestVerified, true);
    assert.deepEqual(await readdir(dirname(dataDir)), ["data"]);
    execFileSync(join(installation.binDir, "pg_verifybackup"), ["-n", dataDir]);
  });

  /**
   * Kills a process that clones, once it has reported that many bytes or that step.
   * @returns what ended it; null when it was faster.
   */
  async function killedClone(
    dataDir: string,
    moment: number | "syncing",
  ): Promise<NodeJS.Signals | null> {
    const { source, ...plain } = optionsFor(dataDir);
    const child = fork(
      join(import.meta.dirname, "base-backup-child.ts"),
      [
        JSON.stringify({
          ...plain,
          source: { host: source.host, port: source.port, user: source.user },
        }),
      ],
      { stdio: ["ignore", "inherit", "inherit", "ipc"] },
    );
    const ended = new Promise<NodeJS.Signals | null>((resolve) =>
      child.once("exit", (_, signal) => resolve(signal)),
    );
    child.on("message", (report: Progress) => {
      const { step, bytesDone } = report;
      if (moment === "syncing" ? step === moment : (bytesDone ?? 0) >= moment)
        child.kill("SIGKILL");
    });
    return await ended;
  }

  test("a crash between the swap and the end is half made too, and made anew", async () => {
    const dataDir = await place("swapped");
    await cloneDataDirectory(optionsFor(dataDir));
    await writeMarker(dataDir, { operation: "clone", pid: 1, startedAt: "", source: null });
    await writeFile(join(dataDir, "from-before"), "");
    await cloneDataDirectory(optionsFor(dataDir));
    await assert.rejects(access(join(dataDir, "from-before")));
    assert.equal(await readMarker(dataDir), null);
  });

  test("a flipped bit on the way is found by the manifest", async () => {
    const dataDir = await place("flipped");
    await using proxy = await faultyProxy(primary.port, (chunk) => {
      const at = chunk.indexOf(NEEDLE);
      if (at < 0) return "pass";
      chunk[at] = (chunk[at] ?? 0) ^ 1;
      return "once";
    });
    const source = { ...primary.source, port: proxy.port };
    const error = await failure(
      cloneDataDirectory(optionsFor(dataDir, { source })),
      "BACKUP_CORRUPT",
    );
    assert.match(
      error.message,
      /base\/\d+\/\d+ has the checksum [0-9a-f]{8} instead of [0-9a-f]{8}/,
    );
    await assertNothingLeft(dataDir);
  });

  test("a lost connection and a silent primary end in an error that says so", async () => {
    const dataDir = await place("lost");
    for (const [fault, message] of [
      ["cut", /connection to the primary was lost/],
      ["hang", /sent nothing of the base backup for 0.5 s/],
    ] as const) {
      await using proxy = await faultyProxy(primary.port, (chunk) =>
        chunk.includes(NEEDLE) ? fault : "pass",
      );
      const source = { ...primary.source, port: proxy.port };
      const options = optionsFor(dataDir, { source, silenceLimitMs: 500 });
      const error = await failure(cloneDataDirectory(options), "BACKUP_FAILED");
      assert.match(error.message, message);
      await proxy[Symbol.asyncDispose]();
      await assertNothingLeft(dataDir);
    }
  });

  test("a directory with anything in it and another cluster's server are refused untouched", async () => {
    const dataDir = await place("refused");
    const foreign = optionsFor(dataDir, {
      expectedSystemId: "7000000000000000001",
      slot: "foreign",
    });
    await failure(cloneDataDirectory(foreign), "DATA_FOREIGN");
    await assertNothingLeft(dataDir);
    assert.equal(await slots(), null);

    await mkdir(dataDir);
    await writeFile(join(dataDir, "precious"), "");
    await failure(cloneDataDirectory(optionsFor(dataDir)), "DIRECTORY_NOT_OURS");
    assert.deepEqual(await readdir(dataDir), ["precious"]);
    await assert.rejects(access(markerPath(dataDir)));

    await rm(join(dataDir, "precious"));
    await cloneDataDirectory(optionsFor(dataDir));
    assert.ok((await readdir(dataDir)).includes("PG_VERSION"));
  });

  /** Copies onto a new tmpfs of so many megabytes, in a process that alone sees it. */
  async function cloneOntoSmallDisk(
    megabytes: number,
    { fillUp }: { fillUp: boolean },
  ): Promise<SmallDiskOutcome & { readonly disk: string }> {
    const disk = dirname(await place("small"));
    const { source, ...plain } = optionsFor(join(disk, "data"));
    const { host, port, user } = source;
    const given = JSON.stringify({ ...plain, source: { host, port, user }, fillUp });
    const mount = `mount -t tmpfs -o size=${megabytes}m tmpfs "$1" && exec "$2" "$3" "$4"`;
    // A mount namespace of its own; who is not root makes it inside of a user namespace.
    const namespace = process.getuid?.() === 0 ? ["--mount"] : ["--mount", "--map-root-user"];
    const child = join(import.meta.dirname, "base-backup-small-disk-child.ts");
    const { status, stdout, stderr } = await runProgram({
      program: "unshare",
      args: [...namespace, "sh", "-c", mount, "sh", disk, process.execPath, child, given],
      timeoutMs: 60_000,
    });
    assert.equal(status, 0, stderr);
    return { ...(JSON.parse(stdout) as SmallDiskOutcome), disk };
  }

  test("a file system that is too small is refused before a byte is written", async () => {
    const outcome = await cloneOntoSmallDisk(50, { fillUp: false });
    assert.equal(outcome.code, "DISK_FULL", outcome.message);
    const named = `${outcome.disk} \\(tmpfs\\) has \\d+ MiB free, .*about \\d+ MiB`;
    assert.match(outcome.message, new RegExp(named));
    assert.equal(outcome.bytesDone, 0);
    assert.deepEqual(outcome.left, []);
  });

  test("a file system that fills up on the way is named, and given back", async () => {
    const outcome = await cloneOntoSmallDisk(160, { fillUp: true });
    assert.equal(outcome.code, "DISK_FULL", outcome.message);
    assert.match(outcome.message, /\(tmpfs\) has \d+ MiB free/);
    assert.ok(outcome.bytesDone > 0);
    assert.deepEqual(outcome.left, ["somebody-else"]);
  });

  test("a slot that reserves WAL is kept, one that does not is made to", async () => {
    const dataDir = await place("slots");
    const reserved = (): Promise<string | null> =>
      primary.sql("SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'kept'");
    await primary.sql("SELECT pg_create_physical_replication_slot('kept')");
    assert.equal(await reserved(), null);
    await cloneDataDirectory(optionsFor(dataDir, { slot: "kept" }));
    const first = await reserved();
    assert.notEqual(first, null);
    await rm(dataDir, { recursive: true });
    await primary.sql("SELECT pg_switch_wal()");
    await cloneDataDirectory(optionsFor(dataDir, { slot: "kept" }));
    assert.equal(await reserved(), first);
    await primary.sql("SELECT pg_drop_replication_slot('kept')");
  });

  test("the rate limit holds", async () => {
    const dataDir = await place("limited");
    const result = await cloneDataDirectory(
      optionsFor(dataDir, { rateLimitBytesPerSecond: 20 << 20 }),
    );
    assert.ok(result.seconds > (result.bytes / (20 << 20)) * 0.8, `${result.seconds} s`);
  });

  test("group access comes along when the source has it", async () => {
    const dataDir = await place("group");
    await using server = await startPrimary({
      installation,
      dataDir: join(work.path, "group-source"),
      initdb: ["-g"],
    });
    const umask = process.umask(0o077);
    try {
      const expectedSystemId = await server.systemId();
      await cloneDataDirectory(optionsFor(dataDir, { source: server.source, expectedSystemId }));
    } finally {
      process.umask(umask);
    }
    for (const directory of ["", "base", "pg_wal/archive_status"])
      assert.equal((await stat(join(dataDir, directory))).mode & 0o777, 0o750, directory);
    for (const file of ["PG_VERSION", "backup_manifest", "global/pg_control"])
      assert.equal((await stat(join(dataDir, file))).mode & 0o777, 0o640, file);
  });
});

async function failure(copying: Promise<unknown>, code: ErrorCode): Promise<UnderstudyError> {
  try {
    await copying;
  } catch (error) {
    assert.ok(error instanceof UnderstudyError, String(error));
    assert.equal(error.code, code, error.message);
    return error;
  }
  throw new assert.AssertionError({ message: `the copy succeeded instead of ending in ${code}` });
}
