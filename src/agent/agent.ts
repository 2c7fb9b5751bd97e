// The agent of one member: observes, decides, and carries out one effect at a time. It wakes on
// events (the record changed, the server's process or connection ended, an effect ended, somebody
// asks) and every two seconds for what gives no sign.
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { Progress } from "../core/member-status.ts";
import { decide, type Decision } from "../core/protocol/decide.ts";
import type { EffectKind } from "../core/protocol/rules.ts";
import type { Ground } from "../core/protocol/situation.ts";
import type { ClusterRecord } from "../core/record.ts";
import { reclaimHandover } from "../core/record-changes.ts";
import type { Effects } from "./effects/effect.ts";
import { keyOf } from "./job-key.ts";
import type { Failure, Job, Request } from "./loop-work.ts";
import type { Member } from "./member.ts";

/** A server that comes up while no effect waits for it gives no sign of that. */
const TICK_MS = { usual: 2_000, starting: 100 };
/** A steady pass is repeated this often when nothing has changed. */
const STEADY_MS = { calm: 10_000, uneasy: 2_000 };
/** How long a successor may take before the old primary takes the lease back. */
const HANDOVER_LIMIT_MS = 5_000;
/** After this whoever asked has most likely given up. */
const REQUEST_WAIT_MS = 30_000;
/** The one request that an agent which ends by itself has fulfilled. */
export const SHUT_DOWN = "shut-down";
/** So often a primary tries to become writable before it frees its lease: some four seconds. */
const START_ATTEMPTS = 3;
/** Where nobody could succeed it, a primary that steps down starts instead. */
const LEADING: ReadonlySet<EffectKind> = new Set(["start", "step-down", "promote"]);
const RETRY_MS = { first: 500, longest: 15_000 };

/** What the loop itself touches of a member; all else is for its effects. */
export interface LoopMember extends Pick<Member, "name" | "clock" | "keeper" | "event"> {
  readonly memory: Pick<Member["memory"], "rememberTerm">;
  readonly log: Pick<Member["log"], "write">;
  readonly server: Pick<Member["server"], "reload">;
  readonly session: Pick<Member["session"], "close">;
}

export interface AgentOptions<M> {
  readonly member: M;
  readonly observe: (member: M, record: ClusterRecord | null) => Promise<Ground>;
  /** See LeaderWatch. */
  readonly leaderIsGone: (record: ClusterRecord | null) => boolean;
  readonly effects: Effects<M>;
  /** Reads the specification anew. */
  readonly rereadFile: () => Promise<void>;
  /** Called with each look, before anything is decided. */
  readonly onLook?: (record: ClusterRecord | null, ground: Ground) => void;
  /** See shut-out.ts. Nobody is, where nothing is said. */
  readonly isShutOut?: (ground: Ground) => Promise<boolean>;
  /** Whether a steady pass may wait: all is as it should be. Always, where nothing is said. */
  readonly isCalm?: () => boolean;
}

export class Agent<M extends LoopMember = Member> {
  readonly #member: M;
  readonly #options: AgentOptions<M>;
  #ground: Ground = "nothing";
  #job: Job | null = null;
  #failure: Failure | null = null;
  #progress: Progress | null = null;
  readonly #requests: Request<M>[] = [];
  /** How often the specification has changed without the record's saying so. */
  #readings = 0;
  /** Of the specification that was last read, and of the one that the server has been given. */
  #generation: number | null = null;
  #appliedGeneration: number | null = null;
  /** What was last done to its end: it is not done again at once where nothing has changed. */
  #settled: { key: string; sinceMs: number; steady: boolean } | null = null;
  #adopted = false;
  #handoverSinceMs: number | null = null;
  /** Of this member to become writable under its lease, since it last was. */
  #vainAttempts = 0;
  #wake: (() => void) | null = null;
  #woken = false;
  #ended = false;

  constructor(options: AgentOptions<M>) {
    this.#options = options;
    this.#member = options.member;
  }

  /** Until it is told to shut down. */
  async run(): Promise<void> {
    await this.#member.keeper.begin();
    while (!this.#ended) {
      this.#woken = false;
      await this.#step().catch((thrown: unknown) => {
        this.#member.log.write({
          event: "step-failed",
          level: "error",
          message: messageOf(thrown),
        });
      });
      await this.#untilWoken();
    }
    for (const { name, resolve, reject } of this.#requests.splice(0))
      if (name === SHUT_DOWN) resolve();
      else
        reject(
          new UnderstudyError(
            "INTERRUPTED",
            `the agent of ${this.#member.name} has ended: ${name}`,
          ),
        );
    this.#member.keeper[Symbol.dispose]();
    await this.#member.session.close();
  }

  /** Something has happened: look again now. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  setProgress(progress: Progress | null): void {
    this.#progress = progress;
  }

  get ground(): Ground {
    return this.#ground;
  }

  /** The effect or request under way, and why the last effect failed. */
  get activity(): { readonly effect: string | null; readonly failure: string | null } {
    return { effect: this.#job?.name ?? null, failure: this.#failure?.message ?? null };
  }

  get progress(): Progress | null {
    return this.#progress;
  }

  /** Of the specification that the server has been given. */
  get appliedGeneration(): number | null {
    return this.#appliedGeneration;
  }

  /** Has a step done between two effects. @throws whatever the step throws. */
  request(name: string, run: Request<M>["run"]): Promise<void> {
    return new Promise((resolve, reject) => {
      const beginByMs = this.#member.clock.nowMs() + REQUEST_WAIT_MS;
      this.#requests.push({ name, run, resolve, reject, beginByMs });
      this.wake();
    });
  }

  /** Cuts off the effect under way, whatever it is. */
  interrupt(why: string): void {
    this.#job?.controller.abort(new UnderstudyError("INTERRUPTED", why));
  }

  /** Has the next steady pass come now. */
  lookAgain(): void {
    this.#settled = null;
    this.wake();
  }

  /**
   * Another specification was read, of which the record does not tell: what is under way may still
   * have the one before it.
   */
  specificationRead(): void {
    this.#readings += 1;
    this.#appliedGeneration = null;
    this.#mayRetry();
    this.lookAgain();
  }

  /** The loop ends after this step. */
  end(): void {
    this.#ended = true;
    this.wake();
  }

  async #step(): Promise<void> {
    const member = this.#member;
    const { record } = member.keeper;
    const wasBusy = this.#job !== null;
    if (record !== null) await this.#rememberTerm(record.term);
    await this.#takeUpGeneration(record);
    await this.#overseeHandover(record);
    this.#ground = await this.#options.observe(member, record);
    this.#options.onLook?.(record, this.#ground);
    if (this.#ground === "primary" || !member.keeper.holdsLease) this.#vainAttempts = 0;
    const decision = decide({
      self: member.name,
      record,
      ground: this.#ground,
      leaderIsGone: this.#options.leaderIsGone(record),
      cannotStart: this.#vainAttempts >= START_ATTEMPTS,
      isShutOut: (await this.#options.isShutOut?.(this.#ground)) ?? false,
    });
    const key = keyOf(record, member.name);
    await this.#adopt();
    if (this.#job) return this.#reconsider(this.#job, key);
    // What was seen while a job changed it is out of date when that has ended, and its end wakes
    // the loop again.
    if (wasBusy) return;
    const request = this.#nextRequest();
    if (request !== null)
      this.#begin({ name: request.name, key: null, controller: new AbortController() }, request);
    else if (record !== null && decision.effect !== "wait" && this.#isDue(decision, key))
      this.#perform({ decision, key, effect: decision.effect, record });
  }

  /**
   * One that nobody waits for any longer must not be carried out on a cluster that has moved on.
   */
  #nextRequest(): Request<M> | null {
    for (let request = this.#requests.shift(); request; request = this.#requests.shift()) {
      if (this.#member.clock.nowMs() < request.beginByMs) return request;
      request.reject(
        new UnderstudyError(
          "TIMED_OUT",
          `${this.#member.name} was busy for ${REQUEST_WAIT_MS / 1000} s and did not begin with: ${request.name}`,
        ),
      );
    }
    return null;
  }

  /**
   * A server that was there before this agent may have been left between two settings: it reads
   * them once more.
   */
  async #adopt(): Promise<void> {
    if (this.#adopted) return;
    this.#adopted = true;
    if (this.#ground === "primary" || this.#ground === "standby")
      await this.#member.server.reload();
  }

  /** The world has changed under a long step: it is cut off, and its end wakes the loop. */
  #reconsider(job: Job, key: string): void {
    if (job.key !== null && job.key !== key)
      job.controller.abort(
        new UnderstudyError("INTERRUPTED", `${job.name} was cut off: the record has changed`),
      );
  }

  /**
   * A full disk must not keep this member from deciding, as to end a server that lost the lease.
   */
  async #rememberTerm(term: number): Promise<void> {
    await this.#member.memory.rememberTerm(term).catch((thrown: unknown) => {
      this.#member.log.write({
        event: "term-not-saved",
        level: "error",
        message: messageOf(thrown),
      });
    });
  }

  #isDue({ rule }: Decision, key: string): boolean {
    const nowMs = this.#member.clock.nowMs();
    if (this.#failure?.rule === rule && nowMs < this.#failure.retryAtMs) return false;
    const settled = this.#settled;
    if (settled?.key !== `${rule} ${key}`) return true;
    const steadyMs = STEADY_MS[(this.#options.isCalm?.() ?? true) ? "calm" : "uneasy"];
    const pause = settled.steady ? steadyMs : RETRY_MS.first;
    return nowMs - settled.sinceMs > pause;
  }

  #perform(what: {
    decision: Decision;
    key: string;
    effect: Exclude<EffectKind, "wait">;
    record: ClusterRecord;
  }): void {
    const { decision, key, effect, record } = what;
    // Why something else failed before is history now.
    if (this.#failure?.rule !== decision.rule) this.#failure = null;
    const steady = effect === "lead" || effect === "follow";
    const controller = new AbortController();
    const generation = this.#generation;
    const readings = this.#readings;
    this.#begin(
      { name: effect, key, controller },
      {
        // Not a newer record: what was decided of one that leads must not be done to one that has
        // meanwhile stopped on request and named itself.
        run: ({ member, signal }) =>
          this.#options.effects[effect]({ member, record, decision, signal }),
        resolve: () => {
          this.#failure = null;
          // It is not in the record any more: there is nothing left to do for it.
          if (effect === "retire") this.end();
          if (readings !== this.#readings) return;
          if (steady) this.#appliedGeneration = generation;
          const sinceMs = this.#member.clock.nowMs();
          this.#settled = { key: `${decision.rule} ${key}`, sinceMs, steady };
        },
        reject: (reason) => this.#failed(decision, reason),
      },
    );
  }

  #begin(job: Job, work: Pick<Request<M>, "run" | "resolve" | "reject">): void {
    const { record } = this.#member.keeper;
    this.#job = job;
    const outcome =
      record === null
        ? Promise.reject(
            new UnderstudyError("STORE_UNAVAILABLE", "the cluster's record has not been read yet"),
          )
        : work.run({ member: this.#member, record, signal: job.controller.signal });
    void outcome.then(work.resolve, work.reject).finally(() => {
      this.#job = null;
      this.#progress = null;
      this.wake();
    });
  }

  #failed(decision: Decision, reason: unknown): void {
    if (reason instanceof UnderstudyError && reason.code === "INTERRUPTED") return;
    if (LEADING.has(decision.effect)) this.#vainAttempts += 1;
    const attempts = this.#failure?.rule === decision.rule ? this.#failure.attempts + 1 : 1;
    const pause = Math.min(RETRY_MS.first * 2 ** (attempts - 1), RETRY_MS.longest);
    const message = messageOf(reason);
    if (this.#failure?.message !== message) this.#tellFailure(decision, reason);
    this.#failure = {
      rule: decision.rule,
      message,
      attempts,
      retryAtMs: this.#member.clock.nowMs() + pause,
    };
  }

  /** What only a person may decide is no failure. */
  #tellFailure(decision: Decision, reason: unknown): void {
    const { rule, effect, sentence } = decision;
    const error = reason instanceof UnderstudyError ? reason : null;
    const isRefusal = error?.code === "FAILOVER_REFUSED";
    const details = error?.details ?? {};
    this.#member.event({
      event: isRefusal ? "failover-refused" : `${effect}-failed`,
      rule,
      level: isRefusal ? "warning" : "error",
      message: isRefusal ? error.message : `${sentence} That failed: ${messageOf(reason)}`,
      ...(Object.keys(details).length === 0 ? {} : { details }),
    });
  }

  async #takeUpGeneration(record: ClusterRecord | null): Promise<void> {
    if (record === null || record.generation === this.#generation) return;
    await this.#options.rereadFile();
    this.#generation = record.generation;
    this.#settled = null;
    this.#mayRetry();
  }

  /** What was changed may be what it failed for. */
  #mayRetry(): void {
    if (this.#failure !== null) this.#failure = { ...this.#failure, retryAtMs: -Infinity };
  }

  /** The successor has not taken the lease that this member handed to it: take it back. */
  async #overseeHandover(record: ClusterRecord | null): Promise<void> {
    const { name } = this.#member;
    if (record === null || record.leader !== null || record.switchover?.from !== name) {
      this.#handoverSinceMs = null;
      return;
    }
    this.#handoverSinceMs ??= this.#member.clock.nowMs();
    if (this.#member.clock.nowMs() - this.#handoverSinceMs < HANDOVER_LIMIT_MS) return;
    const { to } = record.switchover;
    if ((await this.#member.keeper.change((current) => reclaimHandover(current, name))) === null)
      return;
    this.#member.event({
      event: "switchover-undone",
      level: "error",
      message: `${to} did not take the lease within ${HANDOVER_LIMIT_MS / 1000} s; ${name} takes it back.`,
    });
  }

  async #untilWoken(): Promise<void> {
    if (this.#woken || this.#ended) return;
    await new Promise<void>((resolve) => {
      const tickMs = TICK_MS[this.#ground === "starting" ? "starting" : "usual"];
      const timer = this.#member.clock.setTimer(tickMs, resolve);
      this.#wake = () => {
        timer[Symbol.dispose]();
        resolve();
      };
    });
    this.#wake = null;
  }
}
