// Files of JSON lines that an agent appends to: its log, and its events (what was decided and why,
// kept for people). Bounded: a full file is renamed to ".1" and begun anew.
import { appendFileSync, renameSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { readBootId } from "../postgres/proc.ts";
import { say } from "./last-words.ts";

export interface Entry {
  /** Wall clock, RFC 3339 UTC: for people. */
  readonly at: string;
  /** Milliseconds of this boot (CLOCK_MONOTONIC, alike in all processes): for their order alone. */
  readonly order?: { readonly boot: string; readonly ms: number };
  /** "person" where one has decided by a command. */
  readonly member: string;
  /** A constant name, such as "promoted". */
  readonly event: string;
  /** One sentence. */
  readonly message: string;
  readonly level?: "info" | "warning" | "error";
  /** The rule of the protocol that fired, where one did. */
  readonly rule?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** When and by whom it is written is the journal's to say. */
export type NewEntry = Omit<Entry, "at" | "order" | "member">;

const LIMIT_BYTES = 4 * 1024 * 1024;

export class Journal {
  readonly #path: string;
  readonly #member: string;

  constructor(options: { path: string; member: string }) {
    this.#path = options.path;
    this.#member = options.member;
  }

  /** A journal that cannot be written (disk full) must not stop what it describes. */
  write(entry: NewEntry): void {
    const line = this.#complete(entry);
    try {
      this.#append(line);
    } catch {
      say(JSON.stringify(line));
    }
  }

  /** @throws whatever writing a file may throw. */
  append(entry: NewEntry): void {
    this.#append(this.#complete(entry));
  }

  #complete(entry: NewEntry): Entry {
    const order = { boot: readBootId(), ms: Number(process.hrtime.bigint() / 1_000_000n) };
    return { at: new Date().toISOString(), order, member: this.#member, ...entry };
  }

  #append(line: Entry): void {
    this.#rotate();
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }

  #rotate(): void {
    const size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
    if (size > LIMIT_BYTES) renameSync(this.#path, `${this.#path}.1`);
  }
}

/** Oldest first; a torn last line (a crash in the middle of a write) is passed over. */
export async function readJournal(path: string): Promise<Entry[]> {
  const texts = await Promise.all(
    [`${path}.1`, path].map((file) => readFile(file, "utf8").catch(() => "")),
  );
  return texts
    .join("")
    .split("\n")
    .flatMap((line) => parseEntry(line));
}

function parseEntry(line: string): Entry[] {
  if (line === "") return [];
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
