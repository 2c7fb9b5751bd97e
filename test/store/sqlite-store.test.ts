import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { link, mkdtemp, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { UnderstudyError } from "../../src/core/errors.ts";
import { newRecord } from "../../src/core/record.ts";
import { isLocked, tryLock } from "../../src/store/process-lock.ts";
import { SqliteStore } from "../../src/store/sqlite-store.ts";
import { conformance } from "./conformance.ts";

async function place(): Promise<{ path: string } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), "understudy-store-"));
  return {
    path: join(dir, "record.db"),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

conformance("sqlite", async () => {
  const { path, [Symbol.asyncDispose]: remove } = await place();
  const opened: SqliteStore[] = [];
  return {
    open: () => {
      const store = new SqliteStore({ path, cluster: "demo" });
      opened.push(store);
      return store;
    },
    [Symbol.asyncDispose]: async () => {
      for (const store of opened) await store[Symbol.asyncDispose]();
      await remove();
    },
  };
});

function sample(cluster: string) {
  return newRecord({ cluster, founder: `${cluster}-1`, ttlMs: 2000, members: {} });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const thrown: unknown = await promise.then(
    () => "nothing was thrown",
    (reason: unknown) => reason,
  );
  return thrown instanceof UnderstudyError ? thrown.code : String(thrown);
}

test("of many processes that change the record at once none loses a change", async () => {
  await using at = await place();
  await using store = new SqliteStore({ path: at.path, cluster: "demo" });
  await store.write({ record: sample("demo"), expected: null, durable: true });
  const child = fileURLToPath(new URL("change-record-child.ts", import.meta.url));
  // All are listened to from the start: one that ends early must not be missed.
  const ends = await Promise.all(
    [1, 2, 3].map(() =>
      once(spawn(process.execPath, [child, at.path, "40"], { stdio: "inherit" }), "exit"),
    ),
  );
  assert.deepEqual(
    ends.map(([status]) => status),
    [0, 0, 0],
  );
  assert.equal((await store.read())?.record.generation, 121);
});

test("a file that is no database is said to be damaged, and is left as it is", async () => {
  await using at = await place();
  await writeFile(
    at.path,
    "this is no database, and it is longer than one page header\n".repeat(99),
  );
  await using store = new SqliteStore({ path: at.path, cluster: "demo" });
  assert.equal(await codeOf(store.read()), "STORE_CORRUPT");
});

test("a record that cannot be understood is said to be so, a newer one too", async () => {
  await using at = await place();
  await using store = new SqliteStore({ path: at.path, cluster: "demo" });
  await store.write({ record: sample("demo"), expected: null, durable: true });
  const database = new DatabaseSync(at.path);
  database.exec("UPDATE record SET body = '{\"version\": 1}'");
  assert.equal(await codeOf(store.read()), "RECORD_CORRUPT");
  database.exec("UPDATE record SET body = '{\"version\": 99}'");
  assert.equal(await codeOf(store.read()), "RECORD_TOO_NEW");
  database.close();
});

test("a file that is locked for longer than the limit is unavailable, and readable again afterwards", async () => {
  await using at = await place();
  await using store = new SqliteStore({ path: at.path, cluster: "demo" });
  const first = await store.write({ record: sample("demo"), expected: null, durable: true });
  assert(first);
  const other = new DatabaseSync(at.path);
  other.exec("BEGIN IMMEDIATE");
  const blocked = store.write({ record: first.record, expected: first.revision, durable: true });
  assert.equal(await codeOf(blocked), "STORE_UNAVAILABLE");
  other.exec("ROLLBACK");
  other.close();
  assert.deepEqual(await store.read(), first);
});

test("a file cut short is said to be damaged", async () => {
  await using at = await place();
  {
    await using store = new SqliteStore({ path: at.path, cluster: "demo" });
    await store.write({ record: sample("demo"), expected: null, durable: true });
  }
  await truncate(at.path, 3000);
  await using again = new SqliteStore({ path: at.path, cluster: "demo" });
  assert.equal(await codeOf(again.read()), "STORE_CORRUPT");
});

test("a process lock is held by one, and free again once its holder is killed", async () => {
  await using at = await place();
  const child = fileURLToPath(new URL("hold-lock-child.ts", import.meta.url));
  const holder = spawn(process.execPath, ["--expose-gc", child, at.path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  using _end = { [Symbol.dispose]: () => void holder.kill("SIGKILL") };
  const [word] = await once(holder.stdout, "data");
  assert.equal(String(word), "held\n");
  assert.equal(tryLock(at.path), null);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  using lock = tryLock(at.path);
  assert(lock);
  assert.equal(tryLock(at.path), null);
});

test("looking whether a lock is held tells the truth, before, meanwhile and afterwards", async () => {
  await using at = await place();
  assert.equal(isLocked(at.path), false, "there is no such file yet");
  {
    using lock = tryLock(at.path);
    assert(lock);
    assert.equal(isLocked(at.path), true);
  }
  assert.equal(isLocked(at.path), false);
});

test("several who look at once do not take each other for the holder", async () => {
  await using at = await place();
  tryLock(at.path)?.[Symbol.dispose]();
  const child = fileURLToPath(new URL("probe-lock-child.ts", import.meta.url));
  const lookers = Array.from({ length: 3 }, () =>
    spawn(process.execPath, [child, at.path], { stdio: ["pipe", "pipe", "inherit"] }),
  );
  using _end = { [Symbol.dispose]: () => lookers.forEach((looker) => looker.kill("SIGKILL")) };
  await Promise.all(lookers.map((looker) => once(looker.stdout, "data")));
  const answers = lookers.map((looker) => once(looker.stdout, "data"));
  for (const looker of lookers) looker.stdin.write("go\n");
  for (const [held] of await Promise.all(answers)) assert.equal(String(held), "0\n");
});

test("a change that can be seen only some time after its event is seen without the poll", async () => {
  await using at = await place();
  await using store = new SqliteStore({ path: at.path, cluster: "demo", pollMs: 3_600_000 });
  await store.write({ record: sample("demo"), expected: null, durable: true });
  // The same files under other names: what is written there makes no event here, as when the log
  // was written before, and has only now been synced.
  const elsewhere = await mkdtemp(join(tmpdir(), "understudy-store-"));
  await using _elsewhere = {
    [Symbol.asyncDispose]: () => rm(elsewhere, { recursive: true, force: true }),
  };
  for (const suffix of ["", "-wal", "-shm"])
    await link(`${at.path}${suffix}`, join(elsewhere, `record.db${suffix}`));
  await using other = new SqliteStore({ path: join(elsewhere, "record.db"), cluster: "demo" });
  await other.read();
  const changed = Promise.withResolvers<void>();
  using _watch = store.watch(() => changed.resolve());
  const now = new Date();
  await utimes(`${at.path}-wal`, now, now);
  await delay(20);
  await other.write({ record: { ...sample("demo"), term: 7 }, expected: "1", durable: false });
  await Promise.race([changed.promise, delay(30_000).then(() => assert.fail("it was not seen"))]);
  assert.equal((await store.read())?.record.term, 7);
});
