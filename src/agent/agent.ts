// The agent of one member: observes, decides, and carries out one effect at a time. It wakes on events (the record changed, the
// server's process or connection ended, an effect ended, somebody asks) and every two seconds for what gives no sign.
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { parseLsn, parseLsnOrNull } from "../core/lsn.ts";
import type { MemberStatus, Progress } from "../core/member-status.ts";
import { decide, type Decision } from "../core/protocol/decide.ts";
import type { EffectKind } from "../core/protocol/rules.ts";
import type { Ground } from "../core/protocol/situation.ts";
import type { ClusterRecord } from "../core/record.ts";
import { reclaimHandover, releaseLease } from "../core/record-changes.ts";
import type { AgentRequests } from "./api.ts";
import { bootstrap } from "./effects/bootstrap.ts";
import { clone } from "./effects/clone.ts";
import type { Effect, EffectContext } from "./effects/effect.ts";
import { follow } from "./effects/follow.ts";
import { handOver, whyNot } from "./effects/hand-over.ts";
import { lead } from "./effects/lead.ts";
import { giveUpLease, takeNamedLease } from "./effects/lease.ts";
import { promote } from "./effects/promote.ts";
import { rejoin, setDataAside } from "./effects/rejoin.ts";
import { fence, start, stopServer } from "./effects/start.ts";
import { observeGround } from "./ground.ts";
import { writableLeader, type Member } from "./member.ts";
import { readStatus } from "./status.ts";

const TICK_MS = 2_000;
/** A steady pass is repeated this often when nothing has changed. */
const STEADY_MS = 10_000;
/** How long a successor may take before the old primary takes the lease back. */
const HANDOVER_LIMIT_MS = 5_000;
const RETRY_MS = { first: 500, longest: 15_000 };

const EFFECTS: Readonly<Record<Exclude<EffectKind, "wait">, Effect>> = {
  "take-lease": takeNamedLease,
  "give-up-lease": giveUpLease,
  bootstrap,
  start,
  promote,
  lead,
  clone,
  rejoin,
  follow,
  stop: fence,
  retire: stopServer,
};

interface Job {
  readonly name: string;
  /** The state of the record that it was begun under; it is cut off when that changes. Null: it runs to its end. */
  readonly key: string | null;
  readonly controller: AbortController;
}

interface Request {
  readonly name: string;
  readonly run: (context: Omit<EffectContext, "decision">) => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

interface Failure {
  readonly rule: string;
  readonly message: string;
  readonly attempts: number;
  readonly retryAtMs: number;
}

export interface AgentOptions {
  readonly member: Member;
  /** Reads the specification anew. */
  readonly rereadFile: () => Promise<void>;
  /** What the store's trouble is, or null. */
  readonly storeTrouble: () => string | null;
}

export class Agent implements AgentRequests {
  readonly #member: Member;
  readonly #options: AgentOptions;
  #ground: Ground = "nothing";
  #job: Job | null = null;
  #failure: Failure | null = null;
  #progress: Progress | null = null;
  readonly #requests: Request[] = [];
  /** Of the specification that was last read, and of the one that the server has been given. */
  #generation: number | null = null;
  #appliedGeneration: number | null = null;
  /** The last steady pass ("lead", "follow"): not repeated with each tick when nothing has changed. */
  #steady: { key: string; atMs: number } | null = null;
  #handoverSinceMs: number | null = null;
  #wake: (() => void) | null = null;
  #woken = false;
  #ended = false;

  constructor(options: AgentOptions) {
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

  // What may be asked of it ------------------------------------------------------------------------------------

  status(): Promise<MemberStatus> {
    return readStatus({
      member: this.#member,
      ground: this.#ground,
      activity: { effect: this.#job?.name ?? null, failure: this.#failure?.message ?? null },
      progress: this.#progress,
      storeTrouble: this.#options.storeTrouble(),
      generation: this.#appliedGeneration,
    });
  }

  role(): "primary" | "standby" | "none" {
    if (this.#ground === "standby") return "standby";
    return this.#ground === "primary" && this.#member.keeper.holdsLease ? "primary" : "none";
  }

  async switchover({ to, dryRun }: { to: string; dryRun: boolean }): Promise<void> {
    await this.#request("switchover", async (context) => {
      this.#mustLead("switch over");
      const obstacle = dryRun ? await whyNot({ ...context, to }) : null;
      if (obstacle !== null)
        throw new UnderstudyError("SWITCHOVER_REFUSED", `cannot switch over to ${to}: ${obstacle}`);
      if (!dryRun) await handOver({ ...context, to });
    });
  }

  restart(): Promise<void> {
    return this.#request("restart", async (context) => {
      this.#member.event({
        event: "restart",
        message: `${this.#member.name} restarts on request.`,
      });
      await stopServer(context);
    });
  }

  reload(): Promise<void> {
    return this.#request("reload", async () => {
      await this.#options.rereadFile();
      this.#steady = null;
      await this.#member.server.reload();
    });
  }

  reclone(): Promise<void> {
    return this.#request("reclone", async (context) => {
      const { member, record } = context;
      const leader = writableLeader(record);
      if (leader === null)
        throw new UnderstudyError(
          "NO_PRIMARY",
          `cannot reclone ${member.name}: there is no primary to copy`,
        );
      if (leader.name === member.name)
        throw new UnderstudyError(
          "PRIMARY_PROTECTED",
          `cannot reclone ${member.name}: it is the primary of term ${leader.term}`,
        );
      await stopServer(context);
      if (this.#ground !== "nothing" && this.#ground !== "half-made") {
        const kept = await setDataAside(member);
        member.event({
          event: "reclone",
          message: `${member.name} is copied anew on request; what it had is kept in ${kept}.`,
        });
      }
    });
  }

  async awaitReplay({ beyond, timeoutMs }: { beyond: string; timeoutMs: number }): Promise<void> {
    const target = parseLsn(beyond);
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const { replayLsn } = await this.#member.positions.read();
      const replayed = parseLsnOrNull(replayLsn);
      // Beyond, not at: the position is the start of the last record (postgres-facts, "switchover floor").
      if (replayed !== null && replayed > target) return;
      if (performance.now() > deadline)
        throw new UnderstudyError(
          "TIMED_OUT",
          `${this.#member.name} has replayed ${replayLsn ?? "nothing"} and not ${beyond} within ${timeoutMs / 1000} s`,
        );
      await delay(2);
    }
  }

  async shutDown(): Promise<void> {
    this.#job?.controller.abort(new UnderstudyError("INTERRUPTED", "the member is shut down"));
    const member = this.#member;
    // Without a record nothing was begun, but a server that was there before may run.
    if (member.keeper.record === null) {
      await stopServer({ member, signal: new AbortController().signal });
      this.#ended = true;
      return this.wake();
    }
    return this.#request("shut-down", async (context) => {
      await stopServer(context);
      const holder = { member: member.name, term: context.record.term, heir: member.name };
      // It is named to take the lease again: the cluster comes back as it was. A store that does not answer must not keep it
      // from ending; whose lease it was is then still in the record.
      await member.keeper
        .change((current) => releaseLease(current, holder))
        .catch((thrown: unknown) => {
          member.log.write({ event: "lease-kept", level: "error", message: messageOf(thrown) });
        });
      member.event({ event: "stopped", message: `${member.name} was stopped on request.` });
      this.#ended = true;
    });
  }

  #mustLead(what: string): void {
    const { record } = this.#member.keeper;
    if (this.role() === "primary") return;
    throw new UnderstudyError(
      "SWITCHOVER_REFUSED",
      `${this.#member.name} cannot ${what}: it is not the primary, ${record?.leader?.member ?? "nobody"} is`,
    );
  }

  #request(name: string, run: Request["run"]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#requests.push({ name, run, resolve, reject });
      this.wake();
    });
  }

  // The loop ---------------------------------------------------------------------------------------------------

  async #step(): Promise<void> {
    const member = this.#member;
    const { record } = member.keeper;
    const wasBusy = this.#job !== null;
    await this.#takeUpGeneration(record);
    await this.#overseeHandover(record);
    this.#ground = await observeGround(member, record);
    const decision = decide({ self: member.name, record, ground: this.#ground });
    const key = keyOf(record);
    if (this.#job) return this.#reconsider(this.#job, key);
    // What was seen while a job changed it is out of date when that has ended, and its end wakes the loop again.
    if (wasBusy) return;
    const request = this.#requests.shift();
    if (request)
      this.#begin({ name: request.name, key: null, controller: new AbortController() }, request);
    else if (record !== null && decision.effect !== "wait" && this.#isDue(decision, key))
      this.#perform({ decision, key, effect: decision.effect, record });
  }

  /** The world has changed under a long step: it is cut off, and its end wakes the loop. */
  #reconsider(job: Job, key: string): void {
    if (job.key !== null && job.key !== key)
      job.controller.abort(
        new UnderstudyError("INTERRUPTED", `${job.name} was cut off: the record has changed`),
      );
  }

  #isDue({ rule }: Decision, key: string): boolean {
    if (this.#failure?.rule === rule && performance.now() < this.#failure.retryAtMs) return false;
    const steady = this.#steady;
    return (
      steady === null ||
      steady.key !== `${rule} ${key}` ||
      performance.now() - steady.atMs > STEADY_MS
    );
  }

  #perform(what: {
    decision: Decision;
    key: string;
    effect: Exclude<EffectKind, "wait">;
    record: ClusterRecord;
  }): void {
    const { decision, key, effect } = what;
    const steady = effect === "lead" || effect === "follow";
    const controller = new AbortController();
    const generation = this.#generation;
    this.#begin(
      { name: effect, key, controller },
      {
        run: ({ member, record, signal }) => EFFECTS[effect]({ member, record, decision, signal }),
        resolve: () => {
          this.#failure = null;
          if (steady) this.#appliedGeneration = generation;
          this.#steady = steady
            ? { key: `${decision.rule} ${key}`, atMs: performance.now() }
            : null;
        },
        reject: (reason) => this.#failed(decision, reason),
      },
    );
  }

  #begin(job: Job, work: Pick<Request, "run" | "resolve" | "reject">): void {
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
    const attempts = this.#failure?.rule === decision.rule ? this.#failure.attempts + 1 : 1;
    const pause = Math.min(RETRY_MS.first * 2 ** (attempts - 1), RETRY_MS.longest);
    const message = messageOf(reason);
    if (this.#failure?.message !== message)
      this.#member.event({
        event: `${decision.effect}-failed`,
        rule: decision.rule,
        level: "error",
        message: `${decision.sentence} That failed: ${message}`,
      });
    this.#failure = {
      rule: decision.rule,
      message,
      attempts,
      retryAtMs: performance.now() + pause,
    };
  }

  async #takeUpGeneration(record: ClusterRecord | null): Promise<void> {
    if (record === null || record.generation === this.#generation) return;
    await this.#options.rereadFile();
    await this.#member.memory.rememberTerm(record.term);
    this.#generation = record.generation;
    this.#steady = null;
  }

  /** The successor has not taken the lease that this member handed to it: take it back. */
  async #overseeHandover(record: ClusterRecord | null): Promise<void> {
    const { name } = this.#member;
    if (record === null || record.leader !== null || record.switchover?.from !== name) {
      this.#handoverSinceMs = null;
      return;
    }
    this.#handoverSinceMs ??= performance.now();
    if (performance.now() - this.#handoverSinceMs < HANDOVER_LIMIT_MS) return;
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
      const timer = setTimeout(resolve, TICK_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }
}

/** What an effect rests on: when it changes, a step that was begun before is out of date. */
function keyOf(record: ClusterRecord | null): string {
  if (record === null) return "no record";
  const { leader, heir, term } = record;
  return `${term} ${leader?.member ?? "-"} ${leader?.timeline ?? "-"} ${heir ?? "-"}`;
}
