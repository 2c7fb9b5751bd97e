// The record in a SQLite file, for a cluster on one machine. SQLite's own locks make the
// compare-and-set; a write is seen by the others through the file system's change events.
import { statSync, watch, type FSWatcher } from "node:fs";
import { dirname, basename } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { formatRecord, parseRecord } from "../core/record.ts";
import type { Store, Versioned, WriteRequest } from "./store.ts";

/** How long a call goes on trying while another process holds the file. */
const BUSY_LIMIT_MS = 2_000;
const BUSY_STEP_MS = 5;
/**
 * Events can be missed (a network file system, an exhausted inotify); this bounds how late a change
 * is seen.
 */
const POLL_MS = 1_000;
/**
 * The event comes when the log is written, and the change can be seen when that has been synced,
 * which gives no event any more: on a busy disk that takes a while. So one looks again, later and
 * later.
 */
const LOOK_AGAIN_MS = [2, 4, 8, 16, 32, 64, 128, 256, 512];

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

interface Statements {
  readonly read: StatementSync;
  readonly insert: StatementSync;
  readonly update: StatementSync;
  readonly dataVersion: StatementSync;
}

export class SqliteStore implements Store {
  readonly #path: string;
  readonly #cluster: string;
  #database: DatabaseSync | null = null;
  #statements: Statements | null = null;
  /** Of the file that is open. */
  #identity: string | null = null;
  #timesOpened = 0;
  readonly #pollMs: number;
  readonly #watchers = new Set<{ close(): void }>();

  /**
   * Opens nothing yet: a damaged file is reported by the first read.
   * @param options.pollMs how late a change is seen of which no event tells
   */
  constructor(options: { path: string; cluster: string; pollMs?: number }) {
    this.#path = options.path;
    this.#cluster = options.cluster;
    this.#pollMs = options.pollMs ?? POLL_MS;
  }

  read(): Promise<Versioned | null> {
    return this.#attempt("read", () => {
      // Reading makes no file: whoever brings a lost one back is to find nothing in its place.
      if (identityOf(this.#path) === null) {
        this.#close();
        return null;
      }
      const row = this.#open().read.get(this.#cluster);
      if (row === undefined) return null;
      return { record: parseRecord(String(row["body"])), revision: String(row["revision"]) };
    });
  }

  write(request: WriteRequest): Promise<Versioned | null> {
    return this.#attempt("write", () => {
      if (request.expected !== null && identityOf(this.#path) === null) return null;
      const statements = this.#open();
      // In WAL mode FULL syncs the log before the commit is acknowledged; NORMAL leaves it to the
      // next checkpoint.
      this.#database?.exec(`PRAGMA synchronous = ${request.durable ? "FULL" : "NORMAL"}`);
      const body = formatRecord(request.record);
      const { changes } =
        request.expected === null
          ? statements.insert.run(this.#cluster, body)
          : statements.update.run(body, this.#cluster, BigInt(request.expected));
      if (changes === 0) return null;
      const revision = request.expected === null ? 1n : BigInt(request.expected) + 1n;
      return { record: request.record, revision: String(revision) };
    });
  }

  watch(onChange: () => void): Disposable {
    let pending: NodeJS.Timeout | null = null;
    let looks = 0;
    let version = this.#dataVersion();
    const hasChanged = () => {
      const now = this.#dataVersion();
      // What cannot be told counts as a change: the reader then finds out why.
      if (now === version && now !== null) return false;
      version = now;
      onChange();
      return true;
    };
    const lookLater = () => {
      const pause = LOOK_AGAIN_MS[looks];
      looks += 1;
      pending = pause === undefined ? null : setTimeout(look, pause);
    };
    const look = () => {
      pending = null;
      if (!hasChanged()) lookLater();
    };
    const watcher = this.#watchFile(() => {
      // One commit makes several events: the first look is not put off by the next of them.
      if (pending !== null && looks === 1) return;
      if (pending !== null) clearTimeout(pending);
      looks = 0;
      lookLater();
    });
    const poll = setInterval(hasChanged, this.#pollMs);
    const subscription = {
      close: () => {
        watcher?.close();
        clearInterval(poll);
        if (pending !== null) clearTimeout(pending);
      },
    };
    this.#watchers.add(subscription);
    return {
      [Symbol.dispose]: () => {
        subscription.close();
        this.#watchers.delete(subscription);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers.clear();
    this.#close();
  }

  #watchFile(onChange: () => void): FSWatcher | null {
    const log = `${basename(this.#path)}-wal`;
    try {
      const watcher = watch(dirname(this.#path), (_event, file) => {
        if (file === log) onChange();
      });
      watcher.on("error", () => watcher.close());
      return watcher;
    } catch {
      return null; // No events to be had here: the poll does it.
    }
  }

  async #attempt<T>(verb: "read" | "write", operation: () => T): Promise<T> {
    const deadline = performance.now() + BUSY_LIMIT_MS;
    for (;;) {
      try {
        return operation();
      } catch (thrown) {
        if (thrown instanceof UnderstudyError) throw thrown;
        const code = sqliteCodeOf(thrown);
        const busy = code === SQLITE_BUSY || code === SQLITE_LOCKED;
        if (!busy || performance.now() > deadline) throw this.#translate(verb, thrown);
      }
      await delay(BUSY_STEP_MS);
    }
  }

  /**
   * A file that was moved away is left at once: whoever went on with it would agree with nobody who
   * opens the one that is there now.
   */
  #open(): Statements {
    if (this.#statements && identityOf(this.#path) === this.#identity) return this.#statements;
    this.#close();
    // As it was before: one that takes its place meanwhile is then noticed by the next call.
    const identity = identityOf(this.#path);
    const database = new DatabaseSync(this.#path, { timeout: 0 });
    this.#database = database;
    this.#timesOpened += 1;
    database.exec("PRAGMA journal_mode = WAL");
    database.exec(
      "CREATE TABLE IF NOT EXISTS record (cluster TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
    );
    this.#identity = identity ?? identityOf(this.#path);
    this.#statements = {
      read: database.prepare("SELECT revision, body FROM record WHERE cluster = ?"),
      insert: database.prepare(
        "INSERT OR IGNORE INTO record (cluster, revision, body) VALUES (?, 1, ?)",
      ),
      update: database.prepare(
        "UPDATE record SET body = ?, revision = revision + 1 WHERE cluster = ? AND revision = ?",
      ),
      dataVersion: database.prepare("PRAGMA data_version"),
    };
    return this.#statements;
  }

  /**
   * Another one after each commit of another connection; far cheaper than reading the record. Each
   * connection counts for itself: what happened between two of them is not known.
   */
  #dataVersion(): string | null {
    try {
      if (identityOf(this.#path) === null) return null;
      const version = this.#open().dataVersion.get()?.["data_version"];
      return `${this.#timesOpened}:${Number(version)}`;
    } catch {
      return null;
    }
  }

  #close(): void {
    this.#statements = null;
    try {
      this.#database?.close();
    } catch {
      // It was never opened for good; there is nothing to keep.
    }
    this.#database = null;
  }

  #translate(verb: string, thrown: unknown): UnderstudyError {
    const code = sqliteCodeOf(thrown);
    // Begin anew next time: after an I/O error a connection may stay unusable.
    this.#close();
    if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB)
      return new UnderstudyError(
        "STORE_CORRUPT",
        `cannot ${verb} the cluster's record: ${this.#path} is damaged (${messageOf(thrown)})`,
        { cause: thrown },
      );
    return new UnderstudyError(
      "STORE_UNAVAILABLE",
      `cannot ${verb} the cluster's record in ${this.#path}: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}

/** Device and inode; null when there is no file. */
function identityOf(path: string): string | null {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`;
}

/** SQLite's primary result code (the extended one carries it in its low byte). */
function sqliteCodeOf(thrown: unknown): number | null {
  if (typeof thrown !== "object" || thrown === null || !("errcode" in thrown)) return null;
  return typeof thrown.errcode === "number" ? thrown.errcode & 0xff : null;
}
