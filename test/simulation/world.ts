// One run: a cluster of simulated members, clients that write, a person, and the faults of a plan.
// First everything may go wrong, and only nothing forbidden may happen; then the faults end, and
// within a bound all must be well.
import { newRecord } from "../../src/core/record.ts";
import { ailment } from "./checkers/ailment.ts";
import type { Violation } from "./checkers/checker.ts";
import { Checkers } from "./checkers/checkers.ts";
import { NO_DEFECT, type Defect } from "./defect.ts";
import { CHOICE } from "./failover-by-hand.ts";
import type { FaultKind } from "./faults.ts";
import { inject } from "./inject.ts";
import { Life, wallMs, type MachineClock } from "./life.ts";
import { emptyDisk } from "./model/disk.ts";
import { modelEffects, observeModel } from "./model/effects.ts";
import { Moments } from "./moments.ts";
import { Network } from "./model/network.ts";
import type { Machine } from "./model/machine.ts";
import { ModelServer } from "./model/server.ts";
import { STEPS } from "./model/steps.ts";
import { SimulatedStore } from "./model/store.ts";
import { Surroundings } from "./model/surroundings.ts";
import { Person, addressOf } from "./person.ts";
import { usesSync, type Plan } from "./plan.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import { SimulatedMember } from "./simulated-member.ts";
import { Trace } from "./trace.ts";

/**
 * Faults have ended so long ago that all must be well. A member that has failed often tries again
 * every 15 s, and in rough weather one copy in four does not begin.
 */
const RECOVERY_LIMIT_MS = 120_000;
/** All must have been well for so long. */
const STEADY_MS = 3_000;
const LOOK_MS = 500;
const SHORTEST_RUN_MS = 120_000;
const CLIENTS = 2;
/** So long a person waits for who may have what was promised, once nothing fails any more. */
const PROMISE_PATIENCE_MS = 25_000;

export interface RunOptions {
  readonly seed: number;
  readonly plan: Plan;
  readonly defect?: Defect;
  /** Keeps the lines for reading. */
  readonly keepTrace?: boolean;
}

/** What happened, for the figures. */
export interface Figures {
  readonly simulatedMs: number;
  /** From the end of the faults until all was well. */
  readonly recoveredAfterMs: number;
  readonly acknowledged: number;
  readonly lostReported: number;
  /** Of the acknowledged, while a promise was in force. */
  readonly promised: number;
  /** So often what was promised of commits became another. */
  readonly promises: number;
  readonly promotions: number;
  readonly elections: number;
  readonly failovers: number;
  readonly switchovers: number;
  readonly copies: number;
  readonly rewinds: number;
  readonly starts: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
}

export interface RunResult extends Figures {
  readonly violation: Violation | null;
  readonly traceHash: string;
  readonly trace: readonly string[];
}

export function run(options: RunOptions): Promise<RunResult> {
  return new World(options).run();
}

class World {
  readonly #plan: Plan;
  readonly #scheduler = new Scheduler();
  readonly #random: Random;
  readonly #later: Random;
  readonly #trace: Trace;
  readonly #servers = new Map<string, ModelServer>();
  readonly #members = new Map<string, SimulatedMember>();
  readonly #machineClocks = new Map<string, MachineClock>();
  readonly #network: Network;
  readonly #checkers: Checkers;
  readonly #store: SimulatedStore;
  readonly #around: Surroundings;
  readonly #person: Person;
  readonly #ends = new Set<() => void>();
  readonly #moments = new Moments();
  readonly #faults: Partial<Record<FaultKind, number>> = {};
  #isHealed = false;
  #lastRecordId = 0;
  #wellSinceMs: number | null = null;
  #recoveredAtMs: number | null = null;

  constructor({ seed, plan, defect = NO_DEFECT, keepTrace = false }: RunOptions) {
    this.#plan = plan;
    this.#random = new Random(seed, 2);
    this.#later = new Random(seed, 4);
    this.#trace = new Trace({ keep: keepTrace });
    const [scheduler, random, members] = [this.#scheduler, this.#random, this.#members];
    this.#network = new Network({ scheduler, random, usual: plan.weather });
    this.#checkers = new Checkers({
      nowMs: () => scheduler.nowMs,
      servers: this.#servers,
      storedRecord: () => this.#store.record,
      isAtWork: (member) => this.#isAtWork(member),
      answers: (member) => this.#answers(member),
      wallMs: (member) =>
        wallMs(scheduler.nowMs, this.#machineClocks.get(member) ?? { offsetMs: 0 }),
      moment: (moment, about) => this.#moments.come(moment, about),
      note: this.#event,
    });
    this.#store = new SimulatedStore({
      record: firstRecord(plan),
      scheduler,
      random,
      network: this.#network,
      watcher: this.#checkers,
    });
    this.#around = new Surroundings({ network: this.#network, members, onlooker: this.#checkers });
    for (const name of [...plan.members, ...plan.spares]) this.#addMember(name, defect);
    const patienceMs = this.#random.between(3_000, 20_000);
    const isHasty = this.#random.chance(0.2);
    const life = new Life(scheduler, { offsetMs: 0, rate: 1 });
    this.#person = new Person({
      members,
      store: this.#store.viewOf("person", life),
      life,
      steps: { ...STEPS, ...defect.steps },
      choice: { ...CHOICE, ...defect.choice },
      checkers: this.#checkers,
      patienceMs: ({ isPromised }) => {
        if (isPromised && !isHasty) return this.#isHealed ? PROMISE_PATIENCE_MS : Infinity;
        return this.#isHealed ? 3_000 : patienceMs;
      },
      onEvent: this.#event,
    });
  }

  async run(): Promise<RunResult> {
    const { healAtMs, faults, members } = this.#plan;
    for (const name of members)
      this.#scheduler.at(this.#random.between(0, 2_000), () => {
        const member = this.#members.get(name);
        if (member !== undefined) this.#person.start(member);
      });
    this.#scheduler.at(0, () => void this.#person.run());
    for (const fault of faults) this.#scheduler.at(fault.atMs, () => this.#inject(fault));
    this.#scheduler.at(healAtMs, () => this.#heal());
    for (let client = 0; client < CLIENTS; client += 1) this.#write();
    this.#watch();
    await this.#scheduler.run(healAtMs + RECOVERY_LIMIT_MS + STEADY_MS, () => this.#isOver());
    if (this.#recoveredAtMs === null && this.#checkers.violation === null)
      this.#checkers.fail(
        "all is well in the end",
        `${RECOVERY_LIMIT_MS / 1_000} s after all faults: ${this.#ailment() ?? "it did not stay well"}`,
      );
    return {
      violation: this.#checkers.violation,
      traceHash: this.#trace.hash,
      trace: this.#trace.lines ?? [],
      ...this.#figures(),
    };
  }

  #figures(): Figures {
    const { commits, promises, leaders, copies, rewinds, starts } = this.#checkers;
    const { healAtMs } = this.#plan;
    return {
      simulatedMs: this.#scheduler.nowMs,
      recoveredAfterMs: (this.#recoveredAtMs ?? healAtMs) - healAtMs,
      acknowledged: commits.acknowledgedCount,
      lostReported: commits.lostReported,
      promised: promises.acknowledged,
      promises: promises.changes,
      promotions: leaders.promotions,
      elections: leaders.elections,
      failovers: leaders.failovers,
      switchovers: leaders.switchovers,
      copies,
      rewinds,
      starts,
      faults: this.#faults,
    };
  }

  #isOver(): boolean {
    if (this.#checkers.violation !== null) return true;
    return this.#recoveredAtMs !== null && this.#scheduler.nowMs >= SHORTEST_RUN_MS;
  }

  readonly #event = (who: string, text: string): void =>
    this.#trace.add({ atMs: this.#scheduler.nowMs, who, text });

  #addMember(name: string, defect: Defect): void {
    const { clockRates, rewinders } = this.#plan;
    const machine: Machine = {
      scheduler: this.#scheduler,
      random: this.#random,
      later: this.#later,
      network: this.#network,
      servers: this.#servers,
      nextRecordId: () => (this.#lastRecordId += 1),
      standbysConfirm: usesSync(this.#plan),
      watcher: this.#checkers,
    };
    const server = new ModelServer({ name, disk: emptyDisk(), machine });
    const steps = { ...STEPS, ...defect.steps };
    const effects = modelEffects(steps);
    const machineClock: MachineClock = { offsetMs: 0, rate: clockRates[name] ?? 1 };
    const member = new SimulatedMember({
      scheduler: this.#scheduler,
      random: this.#random,
      machineClock,
      store: this.#store,
      server,
      around: this.#around,
      canRewind: rewinders.includes(name),
      steps,
      effects: defect.alterEffects?.(effects) ?? effects,
      alterClock: defect.alterClock ?? ((clock) => clock),
      observe: defect.observe ?? observeModel,
      alterWitness: defect.alterWitness ?? ((witness) => witness),
      withoutDeadman: defect.withoutDeadman === true,
      alterStore: defect.alterStore ?? ((store) => store),
      onAgentBegan: (who) => this.#checkers.leaders.agentBegan(who),
      onEvent: this.#event,
    });
    member.isKeptDown = true;
    this.#servers.set(name, server);
    this.#members.set(name, member);
    this.#machineClocks.set(name, machineClock);
  }

  #answers(name: string): boolean {
    return (this.#members.get(name)?.answering ?? null) !== null;
  }

  #isAtWork(name: string): boolean {
    const member = this.#members.get(name);
    if (member === undefined || !this.#answers(name)) return false;
    const { server } = member;
    return server.isWritable && !server.isFrozen && !server.isHeld;
  }

  /** A client that writes to whoever takes it. */
  #write(): void {
    this.#scheduler.quietly(this.#random.between(30, 250), () => {
      for (const server of this.#servers.values()) if (server.isWritable) server.commit();
      this.#write();
    });
  }

  /** The checkers' own look around. */
  #watch(): void {
    this.#checkers.observe();
    this.#scheduler.quietly(LOOK_MS, () => this.#watch());
  }

  #heal(): void {
    this.#event("faults", "all have ended");
    this.#isHealed = true;
    this.#checkers.loops.healed();
    for (const end of this.#ends) end();
    this.#person.settle();
    this.#look();
  }

  #ailment(): string | null {
    const { record } = this.#store;
    return ailment(record, this.#servers) ?? this.#checkers.schedules.ailment(record);
  }

  #look(): void {
    const why = this.#ailment();
    const { nowMs } = this.#scheduler;
    if (why !== null) this.#wellSinceMs = null;
    else this.#wellSinceMs ??= nowMs;
    if (this.#wellSinceMs !== null && nowMs - this.#wellSinceMs >= STEADY_MS)
      this.#recoveredAtMs = this.#wellSinceMs;
    else this.#scheduler.quietly(LOOK_MS, () => this.#look());
  }

  #inject(fault: Plan["faults"][number]): void {
    // What was true until now, as that a time had come by a clock that jumps.
    this.#checkers.observe();
    inject(fault, {
      scheduler: this.#scheduler,
      members: this.#members,
      machineClocks: this.#machineClocks,
      store: this.#store,
      network: this.#network,
      person: this.#person,
      moments: this.#moments,
      ends: this.#ends,
      isOver: () => this.#isHealed,
      onFault: (kind) => (this.#faults[kind] = (this.#faults[kind] ?? 0) + 1),
      onEvent: this.#event,
    });
  }
}

function firstRecord({ members, ttlMs, sync }: Plan) {
  return newRecord({
    cluster: "play",
    sync,
    founder: members[0] ?? "una",
    ttlMs,
    members: Object.fromEntries(members.map((name) => [name, { ...addressOf(name), tags: {} }])),
  });
}
