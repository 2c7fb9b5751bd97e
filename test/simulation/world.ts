// One run: a cluster of simulated members, clients that write, a person, and the faults of a plan.
// First everything may go wrong, and only nothing forbidden may happen; then the faults end, and
// within a bound all must be well.
import { newRecord } from "../../src/core/record.ts";
import { Checkers, ailment, type Violation } from "./checkers.ts";
import { NO_DEFECT, type Defect } from "./defect.ts";
import { describeFault, type Fault, type Plan } from "./faults.ts";
import { inject } from "./inject.ts";
import { Life } from "./life.ts";
import { emptyDisk } from "./model/disk.ts";
import { modelEffects, observeModel } from "./model/effects.ts";
import type { Surroundings } from "./model/member.ts";
import { ModelServer, type Machine } from "./model/server.ts";
import { STEPS } from "./model/steps.ts";
import { SimulatedStore } from "./model/store.ts";
import { CHOICE, Operator } from "./operator.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import { SimulatedMember } from "./simulated-member.ts";
import { Trace } from "./trace.ts";

/** Faults have ended so long ago that all must be well. */
const RECOVERY_LIMIT_MS = 60_000;
/** All must have been well for so long. */
const STEADY_MS = 3_000;
const LOOK_MS = 500;
const SHORTEST_RUN_MS = 120_000;

export interface RunOptions {
  readonly seed: number;
  readonly plan: Plan;
  readonly defect?: Defect;
  /** Keeps the lines for reading. */
  readonly keepTrace?: boolean;
}

export interface RunResult {
  readonly violation: Violation | null;
  readonly traceHash: string;
  readonly trace: readonly string[];
  readonly simulatedMs: number;
  /** From the end of the faults until all was well. */
  readonly recoveredAfterMs: number;
  readonly acknowledged: number;
  readonly lostReported: number;
  readonly promotions: number;
}

export function run(options: RunOptions): Promise<RunResult> {
  return new World(options).run();
}

class World {
  readonly #plan: Plan;
  readonly #scheduler = new Scheduler();
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #servers = new Map<string, ModelServer>();
  readonly #members = new Map<string, SimulatedMember>();
  readonly #cuts = new Set<string>();
  readonly #wallClock = { offsetMs: 0 };
  readonly #checkers: Checkers;
  readonly #store: SimulatedStore;
  readonly #operator: Operator;
  #wellSinceMs: number | null = null;
  #recoveredAtMs: number | null = null;

  constructor({ seed, plan, defect = NO_DEFECT, keepTrace = false }: RunOptions) {
    this.#plan = plan;
    this.#random = new Random(seed, 2);
    this.#trace = new Trace({ keep: keepTrace });
    this.#checkers = new Checkers({
      nowMs: () => this.#scheduler.nowMs,
      servers: this.#servers,
      storedRecord: () => this.#store.record,
      onEvent: this.#event,
    });
    this.#store = new SimulatedStore({
      record: firstRecord(plan),
      scheduler: this.#scheduler,
      random: this.#random,
      onWrite: (before, after, by) => this.#checkers.recordWritten(before, after, by),
    });
    const steps = { ...STEPS, ...defect.steps };
    for (const name of plan.members) this.#addMember(name, defect);
    const patienceMs = this.#random.between(3_000, 20_000);
    const life = new Life(this.#scheduler);
    this.#operator = new Operator({
      members: this.#members,
      store: this.#store.viewOf("person", life),
      life,
      steps,
      choice: { ...CHOICE, ...defect.choice },
      patienceMs: () => (this.#scheduler.nowMs > plan.healAtMs ? 3_000 : patienceMs),
      onNamed: (successor) => this.#checkers.named(successor),
      onEvent: this.#event,
    });
  }

  async run(): Promise<RunResult> {
    const { healAtMs, faults } = this.#plan;
    for (const member of this.#members.values())
      this.#scheduler.at(this.#random.between(0, 2_000), () => member.startAgent());
    this.#scheduler.at(0, () => void this.#operator.run());
    for (const fault of faults) this.#scheduler.at(fault.atMs, () => this.#inject(fault));
    this.#scheduler.at(healAtMs, () => this.#heal());
    for (let client = 0; client < 2; client += 1) this.#write();
    await this.#scheduler.run(healAtMs + RECOVERY_LIMIT_MS + STEADY_MS, () => this.#isOver());
    if (this.#recoveredAtMs === null && this.#checkers.violation === null)
      this.#checkers.fail(
        "all is well in the end",
        `${RECOVERY_LIMIT_MS / 1_000} s after all faults: ${ailment(this.#store.record, this.#servers) ?? "it did not stay well"}`,
      );
    return {
      violation: this.#checkers.violation,
      traceHash: this.#trace.hash,
      trace: this.#trace.lines ?? [],
      simulatedMs: this.#scheduler.nowMs,
      recoveredAfterMs: (this.#recoveredAtMs ?? healAtMs) - healAtMs,
      acknowledged: this.#checkers.acknowledgedCount,
      lostReported: this.#checkers.lostReported,
      promotions: this.#checkers.promotions,
    };
  }

  #isOver(): boolean {
    if (this.#checkers.violation !== null) return true;
    return this.#recoveredAtMs !== null && this.#scheduler.nowMs >= SHORTEST_RUN_MS;
  }

  readonly #event = (who: string, text: string): void =>
    this.#trace.add({ atMs: this.#scheduler.nowMs, who, text });

  #addMember(name: string, defect: Defect): void {
    const machine: Machine = {
      scheduler: this.#scheduler,
      random: this.#random,
      servers: this.#servers,
      isCut: (one, other) => this.#isCut(one, other),
      nextRecordId: () => (this.#lastRecordId += 1),
      watcher: this.#checkers,
    };
    const server = new ModelServer({ name, disk: emptyDisk(), machine });
    const effects = modelEffects({ ...STEPS, ...defect.steps });
    const member = new SimulatedMember({
      scheduler: this.#scheduler,
      random: this.#random,
      wallClock: this.#wallClock,
      store: this.#store,
      server,
      around: this.#surroundings(),
      effects: defect.alterEffects?.(effects) ?? effects,
      alterClock: defect.alterClock ?? ((clock) => clock),
      observe: defect.observe ?? observeModel,
      alterWitness: defect.alterWitness ?? ((witness) => witness),
      withoutDeadman: defect.withoutDeadman === true,
      alterStore: defect.alterStore ?? ((store) => store),
      onEvent: this.#event,
    });
    this.#servers.set(name, server);
    this.#members.set(name, member);
  }

  #lastRecordId = 0;

  #surroundings(): Surroundings {
    return {
      serverOf: (name, from) =>
        this.#isCut(name, from) ? null : (this.#servers.get(name) ?? null),
      memberOf: (name, from) =>
        this.#isCut(name, from) ? null : (this.#members.get(name)?.answering ?? null),
      reaches: (one, other) => !this.#isCut(one, other),
      neighbour: (name) => {
        const member = this.#members.get(name);
        return member === undefined
          ? null
          : { server: member.server, hasAgent: member.agent !== null };
      },
      onAgentEnd: (name, callback) =>
        this.#members.get(name)?.onAgentEnd(callback) ?? { [Symbol.dispose]: () => {} },
      named: (successor) => this.#checkers.named(successor),
      destroyed: (data, why) => this.#checkers.destroyed(data, why),
      cloneBegun: (name) => this.#checkers.cloneBegun(name),
    };
  }

  #isCut(one: string, other: string): boolean {
    return this.#cuts.has(`${one} ${other}`) || this.#cuts.has(`${other} ${one}`);
  }

  /** A client that writes to whoever takes it. */
  #write(): void {
    this.#scheduler.quietly(this.#random.between(30, 250), () => {
      for (const server of this.#servers.values()) if (server.isWritable) server.commit();
      this.#write();
    });
  }

  #heal(): void {
    this.#event("faults", "all have ended");
    this.#checkers.healed();
    this.#cuts.clear();
    this.#store.faults.cut.clear();
    Object.assign(this.#store.faults, { slowMs: 0, lostAnswers: 0 });
    for (const member of this.#members.values()) {
      member.resumeAgent();
      member.startAgent();
    }
    this.#store.healed();
    this.#look();
  }

  #look(): void {
    const why = ailment(this.#store.record, this.#servers);
    const { nowMs } = this.#scheduler;
    if (why !== null) this.#wellSinceMs = null;
    else this.#wellSinceMs ??= nowMs;
    if (this.#wellSinceMs !== null && nowMs - this.#wellSinceMs >= STEADY_MS)
      this.#recoveredAtMs = this.#wellSinceMs;
    else this.#scheduler.quietly(LOOK_MS, () => this.#look());
  }

  #inject(fault: Fault): void {
    this.#event("faults", describeFault(fault));
    inject(fault, {
      scheduler: this.#scheduler,
      members: this.#members,
      store: this.#store,
      cuts: this.#cuts,
      wallClock: this.#wallClock,
      random: this.#random,
      onEvent: this.#event,
      askForSwitchover: (to) => this.#operator.askForSwitchover(to),
    });
  }
}

function firstRecord({ members, ttlMs }: Plan) {
  return newRecord({
    cluster: "play",
    founder: members[0] ?? "una",
    ttlMs,
    members: Object.fromEntries(
      members.map((name, place) => [
        name,
        { host: "127.0.0.1", port: 5_000 + place, apiPort: 6_000 + place, tags: {} },
      ]),
    ),
  });
}
