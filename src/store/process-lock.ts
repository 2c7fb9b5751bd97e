// A lock between processes of one machine that cannot be left behind: it is held by an open SQLite
// transaction, and the operating system drops it when the holder dies, however it dies.
import { accessSync, chownSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UnderstudyError, messageOf } from "../core/errors.ts";

export interface ProcessLock extends Disposable {
  readonly path: string;
}

/** The longest that a timer can be. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * @returns the lock, which is held until it is disposed of or the process ends, or null when
 * another process holds it. @throws UnderstudyError STORE_UNAVAILABLE when the file cannot be
 * opened.
 */
export function tryLock(path: string): ProcessLock | null {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
    requireWritable(path);
    const held = database;
    // A database that nobody refers to any more is collected, and its lock is gone with it: also
    // where whoever took it never looks at it again. A timer refers to it, and keeps no process.
    const hold = setInterval(() => held.isOpen, LONGEST_MS).unref();
    return {
      path,
      [Symbol.dispose]: () => {
        clearInterval(hold);
        held.close();
      },
    };
  } catch (cause) {
    database?.close();
    if (/locked/.test(messageOf(cause))) return null;
    throw new UnderstudyError("STORE_UNAVAILABLE", `cannot lock ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/**
 * Whether some process holds the lock. Looking never takes it: who looks at the same moment, or
 * wants to take it, is not told that it is held because of that. @throws UnderstudyError
 * STORE_UNAVAILABLE when the file is there and cannot be read.
 */
export function isLocked(path: string): boolean {
  if (!existsSync(path)) return false;
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    // Takes what readers share, and only for this moment.
    database.prepare("SELECT count(*) FROM sqlite_master").get();
    return false;
  } catch (cause) {
    if (/locked/.test(messageOf(cause))) return true;
    if (!existsSync(path)) return false; // it was deleted meanwhile
    throw new UnderstudyError("STORE_UNAVAILABLE", `cannot read ${path}: ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    database?.close();
  }
}

/**
 * On a file that may only be read SQLite takes a shared lock and calls it an exclusive one. Root,
 * who may come first, leaves the file to whom its directory belongs.
 */
function requireWritable(path: string): void {
  if (process.getuid?.() === 0) {
    const { uid, gid } = statSync(dirname(path));
    chownSync(path, uid, gid);
  }
  accessSync(path, constants.W_OK);
}
