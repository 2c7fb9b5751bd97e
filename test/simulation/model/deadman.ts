// The model of a member's deadman (src/agent/deadman): kills its server whole when the agent has
// not turned its loop for a lease, and starts a dead agent again. Not of one agent's life: its
// deadline stands until the next agent has given another.
import type { Life } from "../life.ts";
import { Life as DeadmanLife, type MachineClock } from "../life.ts";
import type { Random } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";
import type { ModelServer } from "./server.ts";

/** As Standing in src/agent/deadman/guard.ts. */
export interface Standing {
  readonly holdsLease: boolean | null;
  readonly mayBeWritable: boolean;
  readonly ttlMs: number;
}

export interface DeadmanOptions {
  readonly scheduler: Scheduler;
  readonly clock: MachineClock;
  readonly random: Random;
  readonly server: ModelServer;
  /** Starts the agent again. */
  readonly restart: () => void;
  readonly onEvent: (text: string) => void;
}

const BEATS_PER_LEASE = 5;
/** Of stopping and killing all processes of a server. */
const KILL_MS = 300;
const HELD_UP_MS = 200;
const GRACE_MS = 2_000;
/** Of a new Node process until the agent in it runs, as far as that was seen. */
const START_MS = { first: 250, longest: 1_500 };

export class ModelDeadman {
  readonly #options: DeadmanOptions;
  #life: DeadmanLife;
  /** The deadline that the present agent gave, and the one that stands from those before it. */
  #ownMs: number | null = null;
  #inheritedMs: number | null = null;
  /** Whether the present agent's word rests on the record: the older one is then relieved. */
  #isSettled = false;
  #timer: Disposable | null = null;
  #graceGivenTo: number | null = null;

  constructor(options: DeadmanOptions) {
    this.#options = options;
    this.#life = new DeadmanLife(options.scheduler, options.clock);
  }

  /** Another agent runs: it starts a deadman of its own, and the older one goes on for now. */
  takeOver(agent: Life, standing: () => Standing): void {
    if (!this.#life.isAlive) {
      this.#life = new DeadmanLife(this.#options.scheduler, this.#options.clock);
      this.#inheritedMs = null;
    } else this.#inheritedMs = earlier(this.#inheritedMs, this.#ownMs);
    this.#ownMs = null;
    this.#isSettled = false;
    const beat = (): void => {
      const now = standing();
      this.judge(now);
      agent.setTimer(now.ttlMs / BEATS_PER_LEASE, beat);
    };
    beat();
  }

  /** As DeadmanGuard under the policy "own-liveness". */
  judge({ holdsLease, mayBeWritable, ttlMs }: Standing): void {
    if (!this.#life.isAlive) return;
    const { nowMs } = this.#options.scheduler;
    this.#isSettled ||= holdsLease !== null || mayBeWritable;
    if (holdsLease !== true && !mayBeWritable) this.#ownMs = null;
    else if (holdsLease !== false) this.#ownMs = nowMs + ttlMs;
    else this.#ownMs ??= nowMs + ttlMs;
    if (this.#isSettled) this.#inheritedMs = null;
    this.#watch();
  }

  /** The agent has died, and was not told to. */
  agentDied(): void {
    const { random, restart } = this.#options;
    const takesMs = random.between(START_MS.first, START_MS.longest);
    this.#life.setTimer(takesMs, restart);
  }

  /** The agent ends on purpose: a deadline stands on only where a server is left. */
  dismiss(): void {
    if (!this.#options.server.hasProcesses) this.#ownMs = null;
  }

  kill(): void {
    this.#life.end();
    this.#ownMs = null;
    this.#inheritedMs = null;
  }

  freeze(): void {
    this.#life.pause();
  }

  thaw(): void {
    this.#life.resume();
  }

  #watch(): void {
    const deadlineMs = earlier(this.#ownMs, this.#inheritedMs);
    if (deadlineMs === null || this.#timer !== null) return;
    const { scheduler } = this.#options;
    this.#timer = this.#life.setTimer(Math.max(0, deadlineMs - scheduler.nowMs), () => {
      this.#timer = null;
      this.#look();
    });
  }

  #look(): void {
    const deadlineMs = earlier(this.#ownMs, this.#inheritedMs);
    const { scheduler, random, server, onEvent } = this.#options;
    if (deadlineMs === null) return;
    if (scheduler.nowMs < deadlineMs) return this.#watch();
    // It stood still at the deadline, and so may the agent have, which is to be heard first.
    if (scheduler.nowMs - deadlineMs > HELD_UP_MS && this.#graceGivenTo !== deadlineMs) {
      this.#graceGivenTo = deadlineMs;
      this.#timer = this.#life.setTimer(GRACE_MS, () => {
        this.#timer = null;
        this.#look();
      });
      return;
    }
    this.#ownMs = null;
    this.#inheritedMs = null;
    this.#life.setTimer(random.between(10, KILL_MS), () => {
      if (!server.hasProcesses) return;
      onEvent("the deadman ends PostgreSQL");
      server.crash();
    });
  }
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
