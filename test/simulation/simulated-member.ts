// A member of the simulated cluster over all its lives: the server and the disk stay, agents come
// and go, and a deadman starts them again. The agent and its lease keeper are the real classes.
import { Agent } from "../../src/agent/agent.ts";
import type { Effects } from "../../src/agent/effects/effect.ts";
import { LeaderWatch } from "../../src/agent/leader-watch.ts";
import { LeaseKeeper } from "../../src/agent/lease-keeper.ts";
import { MemberMemory } from "../../src/agent/memory.ts";
import type { Clock } from "../../src/agent/clock.ts";
import { SwitchoverSchedule } from "../../src/agent/schedule.ts";
import { ShutOut } from "../../src/agent/shut-out.ts";
import { Supply } from "../../src/agent/supply.ts";
import { SyncKeeping } from "../../src/agent/sync/sync-keeping.ts";
import type { Store } from "../../src/store/store.ts";
import { UnderstudyError } from "../../src/core/errors.ts";
import type { TurnNeighbour } from "../../src/core/protocol/rewind-turn.ts";
import { isFenced as isFencedIn } from "../../src/core/record-changes.ts";
import { formatLsn } from "../../src/core/lsn.ts";
import { Life, clockOf, type MachineClock } from "./life.ts";
import { ModelDeadman, type Standing } from "./model/deadman.ts";
import type { observeModel } from "./model/effects.ts";
import type { ModelMember, ModelWitnessed } from "./model/member.ts";
import { ModelPresence } from "./model/presence.ts";
import { scheduleSteps } from "./model/schedule.ts";
import type { ModelServer } from "./model/server.ts";
import type { SimulatedStore } from "./model/store.ts";
import type { Neighbour, Surroundings } from "./model/surroundings.ts";
import type { Steps } from "./model/steps.ts";
import { watchStandbys } from "./model/synchronize.ts";
import { logIn } from "./model/shut-out.ts";
import { endOf, toLsn } from "./model/wal.ts";
import { ModelWitness } from "./model/witness.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

export interface MemberParts {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly machineClock: MachineClock;
  readonly store: SimulatedStore;
  readonly server: ModelServer;
  readonly around: Surroundings;
  readonly steps: Steps;
  readonly effects: Effects<ModelMember>;
  readonly canRewind: boolean;
  /** A deliberate defect may put another in its place. */
  readonly alterClock: (clock: Clock, machineClock: MachineClock) => Clock;
  readonly observe: typeof observeModel;
  readonly alterWitness: (witness: ModelWitnessed) => ModelWitnessed;
  readonly withoutDeadman: boolean;
  readonly alterStore: (store: Store) => Store;
  readonly onAgentBegan: (member: string) => void;
  readonly onEvent: (who: string, text: string) => void;
}

interface Running {
  readonly life: Life;
  readonly agent: Agent<ModelMember>;
  readonly member: ModelMember;
}

/** As long as the record, which says it, is not known. */
const FIRST_TTL_MS = 2_000;

export class SimulatedMember implements Neighbour {
  readonly server: ModelServer;
  readonly #parts: MemberParts;
  readonly #deadman: ModelDeadman;
  #running: Running | null = null;
  readonly #onEnd = new Set<() => void>();
  /** A person has stopped or removed it: nothing starts it but a person. */
  isKeptDown = false;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.server = parts.server;
    const { scheduler, random, server, machineClock: clock, onEvent } = parts;
    this.#deadman = new ModelDeadman({
      scheduler,
      random,
      server,
      clock,
      restart: () => this.startAgent(),
      onEvent: (text) => onEvent(this.name, text),
    });
  }

  get name(): string {
    return this.server.name;
  }

  get running(): Running | null {
    return this.#running;
  }

  /** Null while its agent is dead or paused. */
  get answering(): Running | null {
    return this.#running?.life.answers === true ? this.#running : null;
  }

  startAgent(): void {
    if (this.#running !== null || this.isKeptDown) return;
    const { scheduler, machineClock, observe, effects, withoutDeadman, onAgentBegan } = this.#parts;
    onAgentBegan(this.name);
    const life = new Life(scheduler, machineClock);
    const member = this.#makeMember(life);
    const { steps } = this.#parts;
    const schedule = new SwitchoverSchedule<ModelMember>({
      member: { ...member, clock: steps.clockOfSchedule(member.clock, machineClock) },
      agent: () => this.#running?.agent ?? null,
      steps: scheduleSteps(steps),
    });
    const agent = new Agent<ModelMember>({
      member,
      observe,
      leaderIsGone: (record) => member.leaderWatch.isGone(record),
      effects,
      rereadFile: async () => {},
      onLook: (record, ground) => schedule.look(record, ground),
      isShutOut: (ground) => this.#parts.steps.isShutOut(member, ground),
      isCalm: () => this.server.state !== "accepting" || isFed(this.server),
    });
    const running = { life, agent, member };
    this.#running = running;
    const { server } = this;
    server.onExit = () => life.deliver(() => this.#wake());
    if (!withoutDeadman) this.#deadman.takeOver(life, () => this.#standing());
    if (server.machine.standbysConfirm)
      watchStandbys(this.#parts.steps, {
        member,
        isIdle: () => agent.ground === "primary" && agent.activity.effect === null,
        lookAgain: () => agent.lookAgain(),
      });
    scheduler.stir();
    void agent.run().then(() => {
      if (this.#running === running) this.#ended();
    });
  }

  /** As SIGKILL: nothing that it had begun goes on. Its deadman starts another. */
  crashAgent(): void {
    if (this.#running === null) return;
    this.#endAgent();
    if (!this.#parts.withoutDeadman) this.#deadman.agentDied();
  }

  /** Agent and deadman: nobody starts them again but a person, or the system. */
  crashBoth(): void {
    this.#deadman.kill();
    this.#endAgent();
  }

  pauseAgent(): void {
    this.#running?.life.pause();
  }

  resumeAgent(): void {
    this.#running?.life.resume();
  }

  /** All of its processes, as when a container is paused. */
  freeze(how: "by a signal" | "in a freezer"): void {
    this.pauseAgent();
    this.#deadman.freeze();
    this.server.freeze(how);
  }

  /** In any order, within milliseconds. */
  thaw(): void {
    const { scheduler, random } = this.#parts;
    for (const resume of [
      () => this.resumeAgent(),
      () => this.#deadman.thaw(),
      () => this.server.thaw(),
    ])
      scheduler.at(random.between(0, 20), resume);
  }

  onAgentEnd(callback: () => void): Disposable {
    this.#onEnd.add(callback);
    return { [Symbol.dispose]: () => void this.#onEnd.delete(callback) };
  }

  #endAgent(): void {
    this.#running?.life.end();
    this.#running = null;
    this.server.onExit = () => {};
    for (const callback of this.#onEnd) callback();
    this.#onEnd.clear();
  }

  #ended(): void {
    this.#parts.onEvent(this.name, "the agent ends");
    this.#deadman.dismiss();
    this.#endAgent();
  }

  /** As standingOf in src/agent/run-agent.ts. */
  #standing(): Standing {
    const running = this.#running;
    const record = running?.member.keeper.record ?? null;
    const ground = running?.agent.ground ?? "nothing";
    return {
      holdsLease: record === null ? null : (running?.member.keeper.holdsLease ?? null),
      mayBeWritable:
        ground === "primary" ||
        ground === "held" ||
        (ground === "nothing" && this.server.state !== "stopped"),
      ttlMs: record?.ttlMs ?? FIRST_TTL_MS,
    };
  }

  /** As reachIn in src/agent/member-look.ts, in so far as anybody asks. */
  #tellTurn({ rewind }: ModelMember["doing"]): TurnNeighbour {
    const { agent, member } = this.#running ?? {};
    const { effect = null } = agent?.activity ?? {};
    const record = member?.keeper.record ?? null;
    const isUp = agent?.ground === "standby";
    const isFenced = record !== null && isFencedIn(record, this.name);
    const idle = isUp ? "catching-up" : isFenced ? "fenced" : "stopped";
    const busy = effect === "clone" ? "cloning" : rewind === "goes on" ? "rewinding" : idle;
    const role = isUp ? "standby" : "none";
    return { name: this.name, role, state: busy, awaitsRewind: rewind === "waits" };
  }

  #wake(): void {
    if (!this.#parts.withoutDeadman) this.#deadman.judge(this.#standing());
    this.#running?.agent.wake();
  }

  #makeMember(life: Life): ModelMember {
    const { server, scheduler, random, machineClock, around, store, onEvent, steps } = this.#parts;
    const { name, disk } = server;
    const clock = this.#parts.alterClock(
      clockOf(life, { scheduler, machine: machineClock, random }),
      machineClock,
    );
    const memory = new MemberMemory({
      ...(disk.memory === null ? {} : { remembered: disk.memory }),
      save: async (remembered) => {
        await life.sleep(random.between(0, 3));
        if (disk.isFull) throw new UnderstudyError("DISK_FULL", `${name} cannot remember anything`);
        disk.memory = remembered;
      },
    });
    const wake = () => life.deliver(() => this.#wake());
    const keeper = new LeaseKeeper({
      store: this.#parts.alterStore(store.viewOf(name, life)),
      clock,
      member: name,
      oldestTerm: () => memory.term,
      position: () => positionOf(server),
      onChange: wake,
      onStoreTrouble: (why) => onEvent(name, why === null ? "the store answers again" : why),
    });
    const witness = this.#parts.alterWitness(new ModelWitness(around));
    const presence = new ModelPresence({ self: name, clock, life, around, onLost: wake });
    const doing: ModelMember["doing"] = { rewind: null };
    const leaderWatch = new LeaderWatch({ self: name, clock, keeper, witness, presence, wake });
    return {
      name,
      clock,
      keeper,
      witness,
      leaderWatch,
      sync: new SyncKeeping(),
      shutOut: new ShutOut({
        clock,
        whyNoRoom: async () => (disk.isFull ? "its disk is full" : null),
        logIn: () => logIn(steps, { server, life }),
      }),
      supply: new Supply(clock),
      memory,
      life,
      disk,
      random,
      around,
      canRewind: this.#parts.canRewind,
      model: server,
      doing,
      tellTurn: () => this.#tellTurn(doing),
      ground: () => this.#running?.agent.ground ?? "nothing",
      event: ({ event, rule }) =>
        onEvent(name, rule === undefined ? event : `${event} by the rule ${rule}`),
      log: { write: ({ event, message }) => onEvent(name, `${event}: ${message}`) },
      server: { reload: async () => server.reload() },
      session: { close: async () => {} },
    };
  }
}

/** As in src/agent/run-agent.ts. */
function isFed({ inRecovery, streamsFrom }: ModelServer): boolean {
  return !inRecovery || streamsFrom !== null;
}

function positionOf(server: ModelServer): { lsn: string | null; timeline: number | null } {
  const { data } = server.disk;
  if (!server.isWritable || server.door.isShut || data === null)
    return { lsn: null, timeline: null };
  const { timeline, lsn } = endOf(data);
  return { timeline, lsn: formatLsn(toLsn(lsn)) };
}
