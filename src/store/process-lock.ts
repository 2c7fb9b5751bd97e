// A lock between processes of one machine that cannot be left behind: it is held by an open SQLite transaction, and the operating
// system drops it when the holder dies, however it dies.
import { DatabaseSync } from "node:sqlite";
import { UnderstudyError, messageOf } from "../core/errors.ts";

export interface ProcessLock extends Disposable {
  readonly path: string;
}

/** @returns the lock, or null when another process holds it. @throws UnderstudyError STORE_UNAVAILABLE when the file cannot be opened. */
export function tryLock(path: string): ProcessLock | null {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
    const held = database;
    return { path, [Symbol.dispose]: () => held.close() };
  } catch (cause) {
    database?.close();
    if (/locked/.test(messageOf(cause))) return null;
    throw new UnderstudyError("STORE_UNAVAILABLE", `cannot lock ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
