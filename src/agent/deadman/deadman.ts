// The deadman of one member: kills its PostgreSQL whole when the deadline passes that the agent
// last gave (design, principle 3). It takes nothing but the agent's orders and signals, asks
// nobody, and needs neither network nor store nor disk to act.
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../core/errors.ts";
import { killServer } from "../../postgres/processes.ts";
import { isStopped, readLiveStat } from "../../postgres/proc.ts";
import type { Journal } from "../journal.ts";
import { DISMISS, RELIEVE } from "./deadmen.ts";
import { Guardian, type AgentCommand } from "./guardian.ts";
import { Lines, readOrder, type Order } from "./order.ts";
import { graceMs, longestSleepMs, nowMs, type DeadlinePolicy } from "./policy.ts";
import type { Watchdog } from "./watchdog.ts";

export interface DeadmanOptions {
  readonly member: string;
  readonly dataDir: string;
  readonly policy: DeadlinePolicy;
  /** The agent whose orders these are. */
  readonly agentPid: number;
  readonly restart: AgentCommand;
  readonly earlierTries: number;
  readonly events: Journal;
  /** Null where there is none to feed. */
  readonly watchdog: Watchdog | null;
}

type Armed = Extract<Order, { kind: "arm" }>;

const KILL_LIMIT_MS = 5_000;
const KILL_AGAIN_MS = 1_000;
/** So late no busy machine makes a timer alone. */
const HELD_UP_MS = 200;

export class Deadman {
  readonly #options: DeadmanOptions;
  readonly #guardian: Guardian;
  #armed: Armed | null = null;
  #timer: NodeJS.Timeout | null = null;
  #graceGivenTo: Armed | null = null;
  #killing = false;
  #relieved = false;
  #hasOrders = false;
  #agentLeaves = false;
  #agentIsGone = false;
  #end: () => void = () => {};

  constructor(options: DeadmanOptions) {
    const { member, events, restart: command, earlierTries } = options;
    this.#options = options;
    this.#guardian = new Guardian({
      member,
      command,
      events,
      earlierTries,
      onGivenUp: () => this.#endIfDone(),
    });
  }

  /** Until it is relieved, or the agent has left and no deadline stands. */
  run(orders: Readable): Promise<void> {
    const lines = new Lines();
    return new Promise((resolve) => {
      this.#end = resolve;
      orders.setEncoding("utf8");
      orders.on("data", (piece: string) => {
        for (const line of lines.add(piece)) this.#take(readOrder(line));
      });
      // A pipe that breaks is followed by its end.
      orders.on("error", () => {});
      orders.once("close", () => this.#agentGone());
      process.on(RELIEVE, () => {
        this.#guardian.stop();
        this.#options.watchdog?.handOver();
        this.#relieve();
      });
      process.on(DISMISS, () => {
        this.#options.watchdog?.disarm();
        void this.#guardian.stopWithChild().then(() => this.#relieve());
      });
    });
  }

  #take(order: Order | null): void {
    if (order === null) return;
    this.#hasOrders = true;
    if (order.kind === "leave") this.#agentLeaves = true;
    else this.#armed = order.kind === "arm" ? order : null;
    // Not while a killing goes on that may never end.
    if (order.kind === "arm" && !this.#killing && !this.#relieved) this.#options.watchdog?.feed();
    if (order.kind === "disarm" && !this.#killing) this.#options.watchdog?.disarm();
    this.#setTimer();
  }

  /**
   * The end of the pipe kills nothing: a successor that comes before the deadline takes over. One
   * that gave no orders never got as far as having anything to guard.
   */
  #agentGone(): void {
    this.#agentIsGone = true;
    if (this.#hasOrders && !this.#agentLeaves && !this.#relieved) this.#guardian.begin();
    this.#endIfDone();
  }

  #relieve(): void {
    this.#relieved = true;
    this.#endIfDone();
  }

  #endIfDone(): void {
    // What was begun is ended: a postmaster may be stopped, and must not stay so.
    if (this.#killing) return;
    const isWatching = !this.#agentIsGone || this.#armed !== null || this.#guardian.isActive;
    if (this.#relieved || !isWatching) this.#end();
  }

  #setTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#armed === null) return;
    const { policy } = this.#options;
    const left = Math.max(0, this.#armed.deadlineMs - nowMs(policy));
    this.#timer = setTimeout(() => this.#look(), Math.min(Math.ceil(left), longestSleepMs(policy)));
  }

  #look(): void {
    if (!this.#isOverdue()) return this.#setTimer();
    if (this.#wasHeldUp()) {
      this.#timer = setTimeout(() => this.#look(), graceMs(this.#options.policy));
      return;
    }
    // After a pause of this process newer orders may wait in the pipe: timers come before it in the
    // loop's turn, an immediate comes after it.
    setImmediate(() => {
      if (this.#isOverdue()) void this.#kill();
      else this.#setTimer();
    });
  }

  /**
   * This process stood still at the deadline, so the agent may have as well, and has had no chance
   * to be heard. Once for each deadline.
   */
  #wasHeldUp(): boolean {
    const { policy } = this.#options;
    const armed = this.#armed;
    if (armed === null || armed === this.#graceGivenTo || graceMs(policy) === 0) return false;
    if (nowMs(policy) - armed.deadlineMs < HELD_UP_MS) return false;
    this.#graceGivenTo = armed;
    return true;
  }

  #isOverdue(): boolean {
    return (
      this.#armed !== null &&
      !this.#relieved &&
      nowMs(this.#options.policy) >= this.#armed.deadlineMs
    );
  }

  async #kill(): Promise<void> {
    const armed = this.#armed;
    if (armed === null || this.#killing) return;
    const { policy, dataDir } = this.#options;
    const lateMs = Math.round(nowMs(policy) - armed.deadlineMs);
    this.#armed = null;
    this.#killing = true;
    let complaint: string | null = null;
    for (let done = false; !done && !this.#relieved;)
      try {
        const killed = await killServer({ dataDir, timeoutMs: KILL_LIMIT_MS });
        this.#report({ ...killed, lateMs, term: armed.term });
        this.#options.watchdog?.disarm();
        done = true;
      } catch (thrown) {
        if (complaint !== messageOf(thrown)) this.#complain((complaint = messageOf(thrown)));
        await delay(KILL_AGAIN_MS);
      }
    this.#killing = false;
    this.#setTimer();
    this.#endIfDone();
  }

  #report(of: { killed: number; ms: number; lateMs: number; term: number }): void {
    if (of.killed === 0) return;
    const { member, agentPid } = this.#options;
    const agent = this.#agentState();
    this.#options.events.write({
      event: "server-killed",
      level: "error",
      message: `The deadman of ${member} killed its PostgreSQL: the lease of term ${of.term} was not kept, because its agent (process ${agentPid}) ${agent}.`,
      details: {
        agent,
        agentPid,
        term: of.term,
        processes: of.killed,
        lateMs: of.lateMs,
        milliseconds: Math.round(of.ms),
      },
    });
  }

  #complain(message: string): void {
    const { events, member } = this.#options;
    events.write({
      event: "server-not-killed",
      level: "error",
      message: `The deadman of ${member} goes on trying: ${message}`,
    });
  }

  #agentState(): "has died" | "is stopped" | "hangs or cannot renew it" {
    const stat = this.#agentIsGone ? null : readLiveStat(this.#options.agentPid);
    if (stat === null) return "has died";
    return isStopped(stat) ? "is stopped" : "hangs or cannot renew it";
  }
}
