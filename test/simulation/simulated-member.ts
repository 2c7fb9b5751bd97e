// A member of the simulated cluster over all its lives: the server and the disk stay, agents come
// and go. The agent and its lease keeper are the real classes.
import { Agent } from "../../src/agent/agent.ts";
import type { Effects } from "../../src/agent/effects/effect.ts";
import { LeaderWatch } from "../../src/agent/leader-watch.ts";
import { LeaseKeeper } from "../../src/agent/lease-keeper.ts";
import { MemberMemory } from "../../src/agent/memory.ts";
import type { Witness } from "../../src/agent/witness.ts";
import type { Clock } from "../../src/agent/clock.ts";
import type { Store } from "../../src/store/store.ts";
import { formatLsn } from "../../src/core/lsn.ts";
import { Life, clockOf, type WallClock } from "./life.ts";
import type { observeModel } from "./model/effects.ts";
import type { ModelMember, Surroundings } from "./model/member.ts";
import { ModelPresence } from "./model/presence.ts";
import { ModelWitness } from "./model/witness.ts";
import type { ModelServer } from "./model/server.ts";
import type { SimulatedStore } from "./model/store.ts";
import { endOf, toLsn } from "./model/wal.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

export interface MemberParts {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly wallClock: WallClock;
  readonly store: SimulatedStore;
  readonly server: ModelServer;
  readonly around: Surroundings;
  readonly effects: Effects<ModelMember>;
  /** A deliberate defect may put another in its place. */
  readonly alterClock: (clock: Clock, wallClock: WallClock) => Clock;
  readonly observe: typeof observeModel;
  readonly alterWitness: (witness: Pick<Witness, "isGone">) => Pick<Witness, "isGone">;
  readonly withoutDeadman: boolean;
  readonly alterStore: (store: Store) => Store;
  readonly onEvent: (who: string, text: string) => void;
}

interface Running {
  readonly life: Life;
  readonly agent: Agent<ModelMember>;
  readonly member: ModelMember;
}

export class SimulatedMember {
  readonly server: ModelServer;
  readonly #parts: MemberParts;
  #running: Running | null = null;
  readonly #onEnd = new Set<() => void>();

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.server = parts.server;
  }

  get name(): string {
    return this.server.name;
  }

  /** Null while no agent lives. */
  get agent(): Agent<ModelMember> | null {
    return this.#running?.agent ?? null;
  }

  /** Null while its agent is dead or paused. */
  get answering(): ModelMember | null {
    return this.#running?.life.answers === true ? this.#running.member : null;
  }

  startAgent(): void {
    if (this.#running !== null) return;
    const life = new Life(this.#parts.scheduler);
    const member = this.#makeMember(life);
    const agent = new Agent<ModelMember>({
      member,
      observe: this.#parts.observe,
      leaderIsGone: (record) => member.leaderWatch.isGone(record),
      effects: this.#parts.effects,
      rereadFile: async () => {},
    });
    this.#running = { life, agent, member };
    this.server.onExit = () => life.deliver(() => agent.wake());
    this.#parts.scheduler.stir();
    void agent.run();
  }

  /** As SIGKILL: nothing that it had begun goes on. */
  crashAgent(): void {
    if (this.#running === null) return;
    this.#awaitDeadman(this.#running);
    this.#running.life.end();
    this.#running = null;
    this.server.onExit = () => {};
    for (const callback of this.#onEnd) callback();
    this.#onEnd.clear();
  }

  pauseAgent(): void {
    if (this.#running === null) return;
    this.#awaitDeadman(this.#running);
    this.#running.life.pause();
  }

  onAgentEnd(callback: () => void): Disposable {
    this.#onEnd.add(callback);
    return { [Symbol.dispose]: () => void this.#onEnd.delete(callback) };
  }

  /**
   * The deadman: an agent that has been silent for a lease loses its server, if that may be
   * writable.
   */
  #awaitDeadman({ life, member }: Running): void {
    const { scheduler, random, store } = this.#parts;
    const { ttlMs } = store.record;
    const mayBeWritable = member.keeper.holdsLease || this.server.isWritable;
    const silentForMs = ttlMs - random.between(0, ttlMs / 5);
    if (!mayBeWritable || this.#parts.withoutDeadman) return;
    scheduler.at(silentForMs, () => {
      // Another agent, or the same again, has told it to go on.
      if (life.answers || (!life.isAlive && this.#running !== null)) return;
      if (!this.server.hasProcesses) return;
      this.#parts.onEvent(this.name, "the deadman ends PostgreSQL");
      this.server.crash();
    });
  }

  resumeAgent(): void {
    this.#running?.life.resume();
  }

  #makeMember(life: Life): ModelMember {
    const { server, scheduler, random, wallClock, around, store, onEvent } = this.#parts;
    const { name, disk } = server;
    const clock = this.#parts.alterClock(
      clockOf(life, { scheduler, wallClock, random }),
      wallClock,
    );
    const memory = new MemberMemory({
      ...(disk.memory === null ? {} : { remembered: disk.memory }),
      save: async (remembered) => {
        await life.sleep(random.between(0, 3));
        disk.memory = remembered;
      },
    });
    const keeper = new LeaseKeeper({
      store: this.#parts.alterStore(store.viewOf(name, life)),
      clock,
      member: name,
      oldestTerm: () => memory.term,
      position: () => positionOf(server),
      onChange: () => life.deliver(() => this.#running?.agent.wake()),
      onStoreTrouble: (why) => onEvent(name, why === null ? "the store answers again" : why),
    });
    const witness = this.#parts.alterWitness(new ModelWitness(around));
    const wake = () => life.deliver(() => this.#running?.agent.wake());
    const presence = new ModelPresence({ self: name, clock, life, around, onLost: wake });
    const leaderWatch = new LeaderWatch({ self: name, clock, keeper, witness, presence, wake });
    return {
      name,
      clock,
      keeper,
      witness,
      leaderWatch,
      memory,
      life,
      disk,
      random,
      around,
      model: server,
      event: ({ event, rule }) =>
        onEvent(name, rule === undefined ? event : `${event} by the rule ${rule}`),
      log: { write: ({ event, message }) => onEvent(name, `${event}: ${message}`) },
      server: { reload: async () => {} },
      session: { close: async () => {} },
    };
  }
}

function positionOf(server: ModelServer): { lsn: string | null; timeline: number | null } {
  const { data } = server.disk;
  if (!server.isWritable || data === null) return { lsn: null, timeline: null };
  const { timeline, lsn } = endOf(data);
  return { timeline, lsn: formatLsn(toLsn(lsn)) };
}
