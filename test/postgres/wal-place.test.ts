// WAL on a volume of its own: what becomes of it however its move was cut off, and that PostgreSQL
// goes on with it.
import assert from "node:assert/strict";
import {
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { mendWalPlace, placeWal, sweepWal } from "../../src/postgres/wal-place.ts";
import { BareServer } from "../support/bare-server.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { installationFor } from "../support/installations.ts";
import { testDirectory, testUser } from "../support/test-user.ts";

before(() => dropPrivileges());

const { signal } = new AbortController();
const SEGMENT = "000000010000000000000001";

async function member() {
  const memberRoot = await testDirectory(await testUser());
  const dataDir = join(memberRoot, "data");
  const walRoot = join(memberRoot, "volume");
  const wal = join(dataDir, "pg_wal");
  await mkdir(join(wal, "archive_status"), { recursive: true });
  await writeFile(join(wal, SEGMENT), "wal");
  await mkdir(walRoot);
  const place = () => placeWal({ dataDir, walRoot }, signal);
  const sweep = () => sweepWal({ memberRoot, walRoot });
  return {
    memberRoot,
    dataDir,
    walRoot,
    wal,
    place,
    sweep,
    [Symbol.asyncDispose]: () => rm(memberRoot, { recursive: true, force: true }),
  };
}
type Subject = Awaited<ReturnType<typeof member>>;

async function isWhole({ wal, dataDir }: Subject): Promise<void> {
  assert.ok((await lstat(wal)).isSymbolicLink());
  assert.equal(await readFile(join(wal, SEGMENT), "utf8"), "wal");
  assert.deepEqual((await readdir(wal)).toSorted(), [SEGMENT, "archive_status"]);
  assert.deepEqual(await readdir(dataDir), ["pg_wal"]);
}

test("WAL is put on its volume once, and stays there", async () => {
  await using subject = await member();
  await subject.place();
  await isWhole(subject);
  const target = await readlink(subject.wal);
  await subject.place();
  assert.equal(await readlink(subject.wal), target);
  assert.equal((await readdir(subject.walRoot)).length, 1);
});

test("wherever a move was cut off, the next one has the WAL whole, in one place, and nothing left over", async () => {
  /** As far as it had come: the first so many of its steps. */
  const steps = [
    ({ walRoot }: Subject) => mkdir(join(walRoot, "wal-0")),
    ({ walRoot, wal }: Subject) => cp(wal, join(walRoot, "wal-0"), { recursive: true }),
    ({ walRoot, dataDir }: Subject) =>
      symlink(join(walRoot, "wal-0"), join(dataDir, "pg_wal.placed")),
    ({ dataDir, wal }: Subject) => rename(wal, join(dataDir, "pg_wal.moved")),
    ({ dataDir, wal }: Subject) => rename(join(dataDir, "pg_wal.placed"), wal),
  ];
  for (let count = 0; count <= steps.length; count += 1) {
    await using subject = await member();
    for (const step of steps.slice(0, count)) await step(subject);
    // Whoever looks before the next start finds it, too.
    await mendWalPlace(subject.dataDir);
    assert.equal(await readFile(join(subject.wal, SEGMENT), "utf8"), "wal", `after ${count}`);
    await subject.place();
    await isWhole(subject);
    await subject.sweep();
    assert.deepEqual(await readdir(subject.walRoot), [
      (await readlink(subject.wal)).split("/").at(-1),
    ]);
  }
});

test("where only the old name of it came to the disk, that is taken back", async () => {
  await using subject = await member();
  await rename(subject.wal, join(subject.dataDir, "pg_wal.moved"));
  await mendWalPlace(subject.dataDir);
  assert.equal(await readFile(join(subject.wal, SEGMENT), "utf8"), "wal");
});

test("WAL of kept data and of a copy that is being made stays, and what nothing leads to goes", async () => {
  await using subject = await member();
  const { memberRoot, dataDir, walRoot, wal } = subject;
  await subject.place();
  await mkdir(join(memberRoot, "kept", "one"), { recursive: true });
  await rename(dataDir, join(memberRoot, "kept", "one", "data"));
  await mkdir(wal, { recursive: true });
  await subject.place();
  await mkdir(join(walRoot, "wal-left"));
  await writeFile(join(walRoot, "owner.json"), "{}");
  await subject.sweep();
  assert.deepEqual((await readdir(walRoot)).length, 3);
  const kept = join(memberRoot, "kept", "one", "data", "pg_wal", SEGMENT);
  assert.equal(await readFile(kept, "utf8"), "wal");
  await rm(join(memberRoot, "kept"), { recursive: true });
  await subject.sweep();
  assert.deepEqual((await readdir(walRoot)).toSorted(), [
    "owner.json",
    (await readlink(wal)).split("/").at(-1),
  ]);
});

test("data whose WAL is not on its volume is not started", async () => {
  await using subject = await member();
  await subject.place();
  await rm(await readlink(subject.wal), { recursive: true });
  await assert.rejects(subject.place(), { code: "DATA_UNREADABLE", message: /is not at .*wal-/ });
});

test("a server goes on with what it had, with its WAL on the volume", async () => {
  await using subject = await member();
  await using server = await BareServer.make({ installation: await installationFor(15) });
  await server.start();
  await server.row("CREATE TABLE public.t AS SELECT 7 AS seven");
  // Its recovery reads that from the WAL.
  await server.kill();
  await placeWal({ dataDir: server.dataDir, walRoot: subject.walRoot }, signal);
  await server.start();
  assert.deepEqual(await server.row("SELECT seven FROM public.t"), { seven: 7 });
  assert.ok((await lstat(join(server.dataDir, "pg_wal"))).isSymbolicLink());
});
