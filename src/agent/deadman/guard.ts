// The agent's side of its deadman: starts the process, tells it the deadline, starts another when
// it ends, and takes leave of it at the agent's own end.
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { messageOf } from "../../core/errors.ts";
import { findServerProcesses } from "../../postgres/processes.ts";
import type { Journal } from "../journal.ts";
import type { MemberPaths } from "../member-paths.ts";
import { DEADMAN_COMMAND, RELIEVE, endDeadmen } from "./deadmen.ts";
import type { AgentCommand } from "./guardian.ts";
import { writeOrder, type Order } from "./order.ts";
import { marginMs, nowMs, type DeadlinePolicy } from "./policy.ts";

/** How this program is started: the file, and what comes before its command. */
export interface Program {
  readonly file: string;
  readonly argsPrefix: readonly string[];
  /** Put into its environment, where that has nothing else of the name. */
  readonly env: Readonly<Record<string, string>>;
}

/** What the agent knows now of its member's right and ability to take writes. */
export interface Standing {
  /** Null as long as the record is not known. */
  readonly holdsLease: boolean | null;
  readonly mayBeWritable: boolean;
  /** A server is there that this agent has not looked at yet: it may be anything. */
  readonly isUnseen: boolean;
  readonly term: number;
  readonly ttlMs: number;
}

export interface DeadmanGuardOptions {
  readonly member: string;
  readonly paths: Pick<MemberPaths, "data" | "events" | "agentLog" | "agentOutput">;
  readonly policy: DeadlinePolicy;
  readonly program: Program;
  readonly restart: AgentCommand;
  readonly standing: () => Standing;
  readonly log: Journal;
}

/** A deadman that lived shorter than this is not replaced at once. */
const SOUND_AFTER_MS = 5_000;
const PAUSE_MS = { first: 100, longest: 5_000 };
/** Orders that it has not read: it hangs. */
const UNREAD_LIMIT_BYTES = 16_384;
const LEAVE_LIMIT_MS = 2_000;
const BEATS_PER_LEASE = 5;

export class DeadmanGuard implements AsyncDisposable {
  readonly #options: DeadmanGuardOptions;
  #child: ChildProcess | null = null;
  #isReady = false;
  /** The last word, told anew to each new deadman. */
  #order: Order | null = null;
  /** Whether that word is the record's and not a guess: from then on nobody else need watch. */
  #isSettled = false;
  #hasRelieved = false;
  /** The newest that was confirmed, and when it was sent. */
  #proven: { term: number; sentMs: number } | null = null;
  #beat: NodeJS.Timeout | null = null;
  #again: NodeJS.Timeout | null = null;
  #failures = 0;
  #hasBegun = false;
  #isEnding = false;

  constructor(options: DeadmanGuardOptions) {
    this.#options = options;
  }

  /** Starts the first deadman, once. */
  begin(): void {
    if (this.#hasBegun || this.#isEnding) return;
    this.#hasBegun = true;
    if (this.#again !== null) clearTimeout(this.#again);
    this.#start();
    this.look();
  }

  /**
   * For a member that has nothing to guard yet: the first deadman is started by `begin`, with the
   * first deadline, or after this time, so that an agent that is at work for longer is started
   * again when it dies.
   */
  beginWithin(limitMs: number): void {
    this.#again = setTimeout(() => this.begin(), limitMs);
    this.look();
  }

  /** Something has changed: the deadman is told. It is told on a timer otherwise. */
  look(): void {
    if (this.#isEnding) return;
    if (this.#beat !== null) clearTimeout(this.#beat);
    const standing = this.#options.standing();
    this.#beat = setTimeout(() => this.look(), standing.ttlMs / BEATS_PER_LEASE);
    this.#judge(standing);
  }

  /**
   * Called before something is sent that may renew or take the lease; what it returns is called
   * when the store, or all members, have confirmed it. So the time counts from before it was sent.
   */
  sending(): (held: { term: number; ttlMs: number }) => void {
    const { policy } = this.#options;
    const sentMs = nowMs(policy);
    return ({ term, ttlMs }) => {
      this.#isSettled = true;
      const proven = this.#proven;
      // Of two on their way at once the later one may be confirmed first.
      if (proven !== null && proven.term === term && proven.sentMs > sentMs) return;
      this.#proven = { term, sentMs };
      this.#arm(sentMs + ttlMs - marginMs(policy, ttlMs), term);
    };
  }

  /** The agent ends on purpose. A deadline stands on as long as its server lives. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    for (const timer of [this.#beat, this.#again]) if (timer !== null) clearTimeout(timer);
    const child = this.#child;
    if (child === null) return;
    const isSafe = findServerProcesses(this.#options.paths.data).length === 0;
    if (isSafe) this.#send({ kind: "disarm" });
    this.#send({ kind: "leave" });
    child.stdin?.end();
    if (isSafe) await untilEnded(child);
    else child.unref();
  }

  #judge({ holdsLease, mayBeWritable, isUnseen, term, ttlMs }: Standing): void {
    const { policy } = this.#options;
    if (holdsLease !== true && !mayBeWritable) {
      // Of a member whose record is not known yet, nothing is known.
      this.#isSettled ||= holdsLease !== null;
      if (this.#order?.kind !== "disarm") this.#send({ kind: "disarm" });
      return;
    }
    // A standby's server must not be killed because a busy machine lets its new agent look late.
    if (policy === "own-liveness" && (holdsLease !== false || isUnseen)) {
      this.#isSettled = true;
      return this.#arm(nowMs(policy) + ttlMs, term);
    }
    // Writable without the right to it, or not known to have it: once a short time, and only a
    // confirmed renewal makes it longer. One that watched before goes on with its own deadline.
    if (this.#order?.kind !== "arm")
      this.#arm(nowMs(policy) + ttlMs - marginMs(policy, ttlMs), term);
  }

  #arm(deadlineMs: number, term: number): void {
    this.#send({ kind: "arm", deadlineMs, term });
  }

  #send(order: Order): void {
    this.#order = order;
    // From now on there is something to guard; it begins with this very order.
    if (order.kind === "arm" && !this.#hasBegun) return this.begin();
    const input = this.#child?.stdin;
    if (input === null || input === undefined || !input.writable) return;
    if (input.writableLength > UNREAD_LIMIT_BYTES) this.#child?.kill("SIGKILL");
    else input.write(writeOrder(order));
    void this.#relieveOthers();
  }

  #start(): void {
    const startedMs = performance.now();
    this.#isReady = false;
    let child: ChildProcess;
    try {
      child = this.#spawn();
    } catch (thrown) {
      return this.#ended(messageOf(thrown), startedMs);
    }
    this.#child = child;
    let isOver = false;
    const over = (why: string) => {
      if (!isOver) this.#ended(why, startedMs);
      isOver = true;
    };
    child.once("error", (error) => over(error.message));
    child.once("exit", (status, signal) => over(`it ended with ${signal ?? status}`));
    // A broken pipe is followed by its end.
    child.stdin?.on("error", () => {});
    child.stdout?.once("data", () => {
      this.#isReady = true;
      void this.#relieveOthers();
    });
    if (this.#order !== null) child.stdin?.write(writeOrder(this.#order));
  }

  #spawn(): ChildProcess {
    const { member, paths, policy, program, restart } = this.#options;
    const words = openSync(paths.agentOutput, "a", 0o600);
    try {
      const told = ["--member", member, "--events", paths.events, "--log", paths.agentLog];
      const watched = [DEADMAN_COMMAND, "--data", paths.data, ...told, "--policy", policy];
      return spawn(
        program.file,
        [...program.argsPrefix, ...watched, "--restart", JSON.stringify(restart)],
        {
          detached: true,
          stdio: ["pipe", "pipe", words],
          cwd: "/",
          // The agent that it may start has its environment.
          env: { ...program.env, ...process.env },
        },
      );
    } finally {
      closeSync(words);
    }
  }

  #ended(why: string, startedMs: number): void {
    this.#child = null;
    if (this.#isEnding) return;
    this.#failures = performance.now() - startedMs > SOUND_AFTER_MS ? 0 : this.#failures + 1;
    const { log, member } = this.#options;
    log.write({
      event: "deadman-ended",
      level: "error",
      message: `The deadman of ${member} is gone: ${why}. Another one is started.`,
    });
    const pause = PAUSE_MS.first * 2 ** (this.#failures - 1);
    if (this.#failures <= 1) this.#start();
    else this.#again = setTimeout(() => this.#start(), Math.min(pause, PAUSE_MS.longest));
  }

  /**
   * Those of agents that lived before this one. Only when one's own watches, and on a deadline that
   * rests on the record: until then theirs hold, and the one that passes first counts.
   */
  async #relieveOthers(): Promise<void> {
    const own = this.#child?.pid;
    if (this.#hasRelieved || !this.#isReady || !this.#isSettled || own === undefined) return;
    this.#hasRelieved = true;
    const { paths, log } = this.#options;
    await endDeadmen({ dataDir: paths.data, signal: RELIEVE, except: own }).catch(
      (thrown: unknown) => {
        this.#hasRelieved = false;
        log.write({ event: "deadman-not-relieved", level: "error", message: messageOf(thrown) });
      },
    );
  }
}

function untilEnded(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const timer = setTimeout(() => child.kill("SIGKILL"), LEAVE_LIMIT_MS);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
