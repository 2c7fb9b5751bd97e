// Writes a member's logs, the agent's and PostgreSQL's, as JSON lines to one file descriptor: what
// a container's runtime collects. The files stay the truth. Whoever reads the other end may stand
// still: then one write waits in a thread of its own, nothing is kept in memory, and the agent goes
// on.
import { write } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { LogTail } from "./log-tail.ts";
import { serverEntries } from "./server-entry.ts";

const PAUSE_MS = 500;
const END_LIMIT_MS = 1_000;
const AGENT_LOG = "agent.log";
const LOGS = /^(agent\.(log|out)|postgresql-[A-Za-z]{3}\.log)$/;

const writeTo = promisify(write);

export class LogForwarder {
  readonly #member: string;
  readonly #directory: string;
  readonly #descriptor: number;
  readonly #tails = new Map<string, LogTail>();
  readonly #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(of: { member: string; directory: string; descriptor: number }) {
    this.#member = of.member;
    this.#directory = of.directory;
    this.#descriptor = of.descriptor;
  }

  /** @returns when what is there already is passed over; whatever comes later is written. */
  async begin(): Promise<void> {
    for (const name of await this.#names()) {
      const tail = new LogTail(join(this.#directory, name));
      await tail.passOver();
      this.#tails.set(name, tail);
    }
    this.#running = this.#run();
  }

  /** Writes what is still to be written, for a second at most. */
  async end(): Promise<void> {
    this.#ending.abort();
    await Promise.race([this.#running, delay(END_LIMIT_MS, undefined, { ref: false })]);
  }

  async #run(): Promise<void> {
    for (;;) {
      const isLast = this.#ending.signal.aborted;
      // A log that cannot be read or written is no reason to end; it is tried again.
      const isMore = await this.#look().catch(() => false);
      if (isLast && !isMore) return;
      if (!isMore && !isLast)
        await delay(PAUSE_MS, undefined, { ref: false, signal: this.#ending.signal }).catch(
          () => {},
        );
    }
  }

  /** @returns whether there was anything. */
  async #look(): Promise<boolean> {
    let isMore = false;
    for (const name of await this.#names()) {
      const tail = this.#tails.get(name) ?? new LogTail(join(this.#directory, name));
      this.#tails.set(name, tail);
      const lines = await tail.read();
      isMore ||= lines.length > 0;
      for (const line of this.#entries(name, lines)) await this.#write(`${line}\n`);
    }
    return isMore;
  }

  async #write(text: string): Promise<void> {
    let bytes = Buffer.from(text);
    while (bytes.length > 0) {
      const { bytesWritten } = await writeTo(this.#descriptor, bytes);
      bytes = bytes.subarray(bytesWritten);
    }
  }

  #entries(name: string, lines: readonly string[]): readonly string[] {
    // They are entries already.
    if (name === AGENT_LOG) return lines;
    const member = this.#member;
    const at = new Date().toISOString();
    if (name.startsWith("postgresql-"))
      return serverEntries(lines, { member, now: at }).map((entry) => JSON.stringify(entry));
    return lines.map((message) =>
      JSON.stringify({ at, member, event: "agent-output", level: "error", message }),
    );
  }

  async #names(): Promise<string[]> {
    const all = await readdir(this.#directory).catch(() => []);
    return all.filter((name) => LOGS.test(name)).sort();
  }
}
