// Rewinding real data directories of PostgreSQL 15, the one installation here that has pg_rewind:
// from each state that a target may be in, and what is left when it does not come to its end.
import assert from "node:assert/strict";
import { appendFile, cp, lstat, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { before, test } from "node:test";
import { Secret } from "../../src/core/secret.ts";
import { readMarker } from "../../src/postgres/base-backup/marker.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import { findServerProcesses } from "../../src/postgres/processes.ts";
import { rewindDataDirectory, type RewindResult } from "../../src/postgres/rewind/rewind.ts";
import { prepareSource, type RewindSource } from "../../src/postgres/rewind/source.ts";
import { placeWal } from "../../src/postgres/wal-place.ts";
import { BareServer } from "../support/bare-server.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor } from "../support/installations.ts";

before(() => dropPrivileges());

test("a primary that was killed recovers by itself, is rewound, and then follows", async () => {
  await using pair = await Pair.make();
  await pair.old.kill();
  const result = await pair.rewind();
  assert.ok(result.kind === "rewound", JSON.stringify(result));
  assert.equal(result.recovered, true);
  assert.equal((await readMarker(pair.old.dataDir))?.operation, "rewind", "it is the caller's");
  await assertFollows(pair);
});

test("a primary whose WAL is on a volume of its own is rewound as any other, and its WAL stays there", async () => {
  await using pair = await Pair.make();
  await pair.old.kill();
  const { dataDir } = pair.old;
  const walRoot = await mkdtemp(join(dirname(dataDir), "wal-"));
  await placeWal({ dataDir, walRoot }, new AbortController().signal);
  const result = await pair.rewind();
  assert.ok(result.kind === "rewound", JSON.stringify(result));
  assert.ok((await lstat(join(dataDir, "pg_wal"))).isSymbolicLink());
  await assertFollows(pair);
});

test("a standby that was shut down beyond the switch point needs no recovery of its own", async () => {
  await using pair = await Pair.make();
  await pair.old.stop();
  await pair.old.startInRecovery();
  await pair.old.stop();
  assert.equal((await readControlData(pair.old.dataDir)).state, "shut down in recovery");
  const result = await pair.rewind();
  assert.ok(result.kind === "rewound", JSON.stringify(result));
  assert.equal(result.recovered, false);
  await assertFollows(pair);
});

test("WAL that pg_rewind needs and that is gone ends it with its reason, under the marker", async () => {
  await using pair = await Pair.make();
  await pair.old.row("SELECT pg_switch_wal()");
  await pair.old.row("CHECKPOINT");
  await pair.old.stop();
  const [first = ""] = (await readdir(join(pair.old.dataDir, "pg_wal"))).toSorted();
  await rm(join(pair.old.dataDir, "pg_wal", first));
  const result = await pair.rewind();
  assert.ok(result.kind === "failed", JSON.stringify(result));
  assert.match(result.why, /pg_rewind ended with 1: .*could not/);
  assert.equal((await readMarker(pair.old.dataDir))?.operation, "rewind");
});

test("an abort ends what runs at once, and the marker stays", async () => {
  await using pair = await Pair.make();
  await pair.old.kill();
  const controller = new AbortController();
  const ended = pair.rewind(controller.signal);
  await eventually("it has begun", () => findServerProcesses(pair.old.dataDir).length > 0);
  controller.abort(new Error("enough"));
  await assert.rejects(ended, /enough/);
  assert.deepEqual(findServerProcesses(pair.old.dataDir), []);
  assert.equal((await readMarker(pair.old.dataDir))?.operation, "rewind");
});

test("two that are on timelines of one number are no case for pg_rewind, though it says it is done", async () => {
  await using pair = await Pair.make();
  await pair.old.stop();
  await pair.old.startInRecovery();
  await pair.old.promote();
  await pair.old.row("INSERT INTO public.t VALUES ('on the other timeline 2')");
  await pair.old.row("CHECKPOINT");
  await pair.old.stop();
  const result = await pair.rewind();
  assert.ok(result.kind === "failed", JSON.stringify(result));
  assert.match(result.why, /^pg_control is on timeline 2 and leads to 0, not to 2$/);
});

/** Two servers of one system: `old` wrote on, while `next` left its timeline. */
class Pair implements AsyncDisposable {
  readonly old: BareServer;
  readonly next: BareServer;

  private constructor(of: { old: BareServer; next: BareServer }) {
    this.old = of.old;
    this.next = of.next;
  }

  static async make(): Promise<Pair> {
    const installation = await installationFor(15);
    const old = await BareServer.make({ installation, settings: { wal_log_hints: "on" } });
    const next = await BareServer.make({ installation });
    const pair = new Pair({ old, next });
    await old.start();
    await old.row("CREATE TABLE public.t (text text)");
    await old.row("INSERT INTO public.t VALUES ('before')");
    await old.stop();
    await rm(next.dataDir, { recursive: true });
    await cp(old.dataDir, next.dataDir, { recursive: true });
    await configure(next, { port: next.port });
    await next.startInRecovery();
    await next.promote();
    await next.row("INSERT INTO public.t VALUES ('on the new timeline')");
    await old.start();
    await old.row("INSERT INTO public.t VALUES ('lost')");
    return pair;
  }

  async rewind(signal: AbortSignal = new AbortController().signal): Promise<RewindResult> {
    const { old, next } = this;
    const source: RewindSource = {
      host: "127.0.0.1",
      port: next.port,
      user: "postgres",
      password: new Secret("unused"),
      applicationName: "rewind",
    };
    const facts = await prepareSource({ source, checkpointBy: [source], timeline: 2, signal });
    assert.deepEqual(facts, { timeline: 2, tablespaces: 0 });
    return rewindDataDirectory({
      target: {
        installation: old.installation,
        dataDir: old.dataDir,
        configFile: join(old.dataDir, "postgresql.conf"),
      },
      source,
      passfile: join(dirname(old.dataDir), "passfile"),
      systemId: (await readControlData(old.dataDir)).systemId,
      timeline: 2,
      signal,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.old[Symbol.asyncDispose]();
    await this.next[Symbol.asyncDispose]();
  }
}

async function assertFollows({ old, next }: Pair): Promise<void> {
  // The settings in the directory are the source's now.
  const conninfo = `host=127.0.0.1 port=${next.port} user=postgres`;
  await configure(old, { port: old.port, primary_conninfo: conninfo });
  await old.startInRecovery();
  await next.row("INSERT INTO public.t VALUES ('later')");
  const rows = ["before", "later", "on the new timeline"];
  await eventually("it has the rows of the primary and no others", async () => {
    const found = await old.value("SELECT string_agg(text, ',' ORDER BY text) FROM public.t");
    return found === rows.join(",");
  });
  assert.match(await readFile(join(old.dataDir, "backup_label.old"), "utf8"), /pg_rewind/);
}

async function configure(
  server: BareServer,
  settings: Readonly<Record<string, string | number>>,
): Promise<void> {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  await appendFile(join(server.dataDir, "postgresql.conf"), lines.join(""));
}
