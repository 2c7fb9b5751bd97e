// The person at the cluster, who asks for one thing after the other, whatever is the matter, and
// ends what was begun: as the commands in src/local do it.
import { memberScope } from "../../src/core/config/member-keys.ts";
import {
  addMember,
  cancelScheduled,
  fenceMember,
  releaseLease,
  removeMember,
  scheduleSwitchover,
  setPaused,
  unfenceMember,
} from "../../src/core/record-changes.ts";
import { CLUSTER_SCOPE } from "../../src/core/config/cluster-keys.ts";
import { syncObjection } from "../../src/core/config/sync-keys.ts";
import { assignKeys } from "../../src/core/config/key.ts";
import { SHUT_DOWN } from "../../src/agent/agent.ts";
import { writableLeader } from "../../src/agent/member.ts";
import { UnderstudyError } from "../../src/core/errors.ts";
import type { ClusterRecord, RecordMember } from "../../src/core/record.ts";
import { changeRecord, type Store } from "../../src/store/store.ts";
import type { Checkers } from "./checkers/checkers.ts";
import { directStandbys } from "./checkers/ailment.ts";
import { failOver, type Choice } from "./failover-by-hand.ts";
import type { Life } from "./life.ts";
import { handOver } from "./model/hand-over.ts";
import type { ModelContext } from "./model/member.ts";
import { endOfData, stopModel, upstreamHistory, type Steps } from "./model/steps.ts";
import type { SimulatedMember } from "./simulated-member.ts";

export interface PersonOptions {
  readonly members: ReadonlyMap<string, SimulatedMember>;
  readonly store: Store;
  readonly life: Life;
  readonly steps: Steps;
  readonly choice: Choice;
  readonly checkers: Checkers;
  /** How long nobody may lead before the person acts, with a promise that may be broken by it. */
  readonly patienceMs: (of: { isPromised: boolean }) => number;
  readonly onEvent: (who: string, text: string) => void;
}

const LOOK_MS = 1_000;
const AGAIN_MS = 3_000;
const FEWEST_MEMBERS = 2;

export class Person {
  readonly #options: PersonOptions;
  #leaderlessMs = 0;
  #isSettling = false;
  /** Members whose removal has not ended. */
  readonly #removals = new Set<string>();
  readonly #stopped = new Set<SimulatedMember>();

  constructor(options: PersonOptions) {
    this.#options = options;
  }

  /** Looks at the cluster for ever. */
  async run(): Promise<void> {
    for (;;) {
      await this.#options.life.sleep(LOOK_MS);
      this.#endRemovals();
      for (const member of this.#stopped) if (!member.isKeptDown) this.start(member);
      const read = await this.#options.store.read().catch(() => null);
      const record = read?.record ?? null;
      if (record === null) continue;
      if (this.#isSettling) this.#bringUp(record);
      if (this.#isSettling) this.#settleSettings(record);
      this.#leaderlessMs = this.#mustAct(record) ? this.#leaderlessMs + LOOK_MS : 0;
      const isPromised = record.sync.guarantee !== null;
      if (this.#leaderlessMs <= this.#options.patienceMs({ isPromised })) continue;
      // Where it came to nothing it is tried again soon.
      this.#leaderlessMs -= AGAIN_MS;
      await this.#try("failover", () => failOver(this.#options, record));
    }
  }

  /** Asks the primary's agent; whatever it answers. */
  askForSwitchover(to: string): void {
    const { members, steps, checkers } = this.#options;
    for (const { answering, server } of members.values())
      if (answering !== null && server.isWritable) {
        checkers.asked("switchover", server.name);
        void this.#try(`switchover to ${to}`, () =>
          answering.agent.request("switchover", (context) => handOver(steps, { ...context, to })),
        );
      }
  }

  /** As src/local/schedule.ts. @param at by the clock of whoever asks */
  schedule(at: Date, to: string | null): void {
    const scheduled = { at: at.toISOString(), to };
    void this.#try(`switchover to ${to ?? "the best"} at ${scheduled.at}`, async () => {
      const written = await changeRecord(this.#options.store, (record) =>
        scheduleSwitchover(record, scheduled),
      );
      if (written === null) throw new UnderstudyError("SWITCHOVER_REFUSED", "it cannot be done");
    });
  }

  cancelScheduled(): void {
    void this.#try("cancelling the scheduled switchover", async () => {
      await changeRecord(this.#options.store, cancelScheduled);
    });
  }

  pause(paused: boolean): void {
    void this.#try(paused ? "pause" : "resume", async () => {
      await changeRecord(this.#options.store, (record) => setPaused(record, paused));
    });
  }

  /** As src/local/config.ts. @param settings "sync=on required=2" @param of the cluster, else */
  configure(settings: string, member: string | null = null): void {
    const assignments = settings.split(" ").map((setting) => {
      const [key = "", text = ""] = setting.split("=");
      return { key, text };
    });
    void this.#try(`set ${settings} of ${member ?? "the cluster"}`, async () => {
      await changeRecord(this.#options.store, (record) => {
        if (member === null) return assignKeys(record, { scope: CLUSTER_SCOPE, assignments });
        const entry = record.members[member];
        if (entry === undefined) return null;
        return assignKeys(record, { scope: memberScope(member, entry), assignments });
      });
    });
  }

  /** As src/local/fence.ts with `--now`. */
  fence(name: string): void {
    this.#options.checkers.asked("fence", name);
    void this.#try(`fence of ${name}`, async () => {
      await changeRecord(this.#options.store, (record) => fenceMember(record, name));
    });
  }

  unfence(name: string): void {
    void this.#try(`unfence of ${name}`, async () => {
      await changeRecord(this.#options.store, (record) => unfenceMember(record, name));
    });
  }

  /** As RequestDesk.restart. */
  restart({ answering, name }: SimulatedMember): void {
    if (answering === null) return;
    const { agent } = answering;
    this.#options.checkers.asked("restart", name);
    agent.interrupt("a restart was asked for");
    void this.#try(`restart of ${name}`, () => agent.request("restart", stopModel));
  }

  /** As RequestDesk.reclone. */
  reclone({ answering, name }: SimulatedMember): void {
    if (answering === null) return;
    const { agent } = answering;
    agent.interrupt("a reclone was asked for");
    void this.#try(`reclone of ${name}`, () =>
      agent.request("reclone", async (context) => {
        const { member, record } = context;
        const leader = writableLeader(record);
        if (leader === null || leader.name === name)
          throw new UnderstudyError("PRIMARY_PROTECTED", `${name} cannot be copied anew now`);
        await upstreamHistory(member, leader);
        await stopModel(context);
        if (agent.ground === "nothing" || agent.ground === "half-made") return;
        await setAside(this.#options.steps, context);
      }),
    );
  }

  /** As RequestDesk.shutDown, for `down` and at the end of a removal. */
  stop(stopped: SimulatedMember): void {
    const { checkers } = this.#options;
    stopped.isKeptDown = true;
    this.#stopped.add(stopped);
    const { answering, running, name, server } = stopped;
    checkers.asked("stop", name);
    if (running === null) server.requestStop();
    if (answering === null) return;
    const { agent } = answering;
    agent.interrupt("the member is shut down");
    void this.#try(`stop of ${name}`, () =>
      agent.request(SHUT_DOWN, async (context) => {
        const { member, record } = context;
        await stopModel(context);
        const holder = { member: name, term: record.term, heir: name };
        await member.keeper.change((current) => releaseLease(current, holder)).catch(() => null);
        agent.end();
      }),
    );
  }

  /** One that is still ending is started when it has ended. */
  start(stopped: SimulatedMember): void {
    if (this.#removals.has(stopped.name)) return;
    stopped.isKeptDown = false;
    if (stopped.running !== null) return;
    this.#stopped.delete(stopped);
    stopped.startAgent();
  }

  /** As src/local/standby.ts. */
  add(added: SimulatedMember): void {
    const { name, server } = added;
    if (this.#removals.has(name) || server.disk.data !== null) return;
    void this.#try(`adding ${name}`, async () => {
      if (![...this.#options.members.values()].some((each) => each.server.isWritable))
        throw new UnderstudyError("NO_PRIMARY", "there is no primary to copy");
      const written = await changeRecord(this.#options.store, (record) =>
        addMember(record, { name, member: { ...addressOf(name), tags: {} } }),
      );
      if (written === null) throw new UnderstudyError("MEMBER_EXISTS", `${name} is there already`);
      added.isKeptDown = false;
      added.startAgent();
    });
  }

  /** As src/local/remove-standby.ts: the record first, then the agent is ended, then its files. */
  remove(removed: SimulatedMember): void {
    const { name, server } = removed;
    void this.#try(`removing ${name}`, async () => {
      const { members, store } = this.#options;
      if (![...members.values()].some((each) => each.server.isWritable))
        throw new UnderstudyError("NO_PRIMARY", "its data may be the only copy");
      const control = server.disk.data?.control ?? "in archive recovery";
      if (control === "in production" || control === "shut down")
        throw new UnderstudyError("PRIMARY_PROTECTED", `${name} was the primary`);
      const written = await changeRecord(store, (record) => {
        const without = removeMember(record, name);
        if (without === null || Object.keys(record.members).length <= FEWEST_MEMBERS) return null;
        return syncObjection(without, record) === null ? without : null;
      });
      if (written === null) throw new UnderstudyError("PRIMARY_PROTECTED", `${name} must stay`);
      this.#removals.add(name);
      this.stop(removed);
    });
  }

  /** What was left undone is done. */
  settle(): void {
    this.pause(false);
    this.#isSettling = true;
    for (const member of this.#stopped) this.start(member);
  }

  /** As `up`: all that the record has, whatever became of the command that put it there. */
  #bringUp({ members }: ClusterRecord): void {
    for (const name of Object.keys(members)) {
      const member = this.#options.members.get(name);
      if (member !== undefined) this.start(member);
    }
  }

  /** Everybody may lead again, and commits cannot wait for more standbys than they can. */
  #settleSettings(record: ClusterRecord): void {
    const { sync, members, fenced } = record;
    const standbys = directStandbys(record).length;
    for (const name of fenced) this.unfence(name);
    for (const [name, { tags }] of Object.entries(members))
      if (tags.nofailover === true) this.configure("nofailover=off", name);
    if (sync.mode === "on" && standbys > 0 && sync.required > standbys)
      this.configure(`required=${standbys}`);
  }

  #endRemovals(): void {
    for (const name of this.#removals) {
      const removed = this.#options.members.get(name);
      if (removed === undefined) continue;
      // One that has retired by itself ends when it is asked.
      if (!removed.isKeptDown) this.stop(removed);
      if (removed.running !== null) continue;
      // What is left of its server is stopped without an agent.
      removed.server.crash();
      const { disk } = removed.server;
      for (const data of [disk.data, ...disk.replaced.map((aside) => aside.data)])
        if (data !== null)
          this.#options.checkers.destroyed(data, { member: name, announced: true });
      Object.assign(disk, { data: null, marker: false, replaced: [], memory: null });
      this.#removals.delete(name);
      this.#stopped.delete(removed);
    }
  }

  #mustAct(record: ClusterRecord): boolean {
    const { members } = this.#options;
    if ([...members.values()].some(({ server }) => server.isWritable)) return false;
    const named = record.leader?.member ?? record.heir;
    if (record.systemId === null) return false;
    if (named === null) return true;
    const member = members.get(named);
    if (member === undefined || member.server.hasProcesses) return false;
    const { running, server } = member;
    const hasData = server.disk.data !== null && !server.disk.marker;
    return running === null || running.agent.activity.failure !== null || !hasData;
  }

  async #try(what: string, act: () => Promise<void>): Promise<void> {
    const { onEvent } = this.#options;
    try {
      await act();
      onEvent("person", `${what}: done`);
    } catch (thrown) {
      onEvent("person", `${what}: ${String(thrown)}`);
    }
  }
}

/** By it an agent knows whom its server was pointed at. */
export function addressOf(name: string): Omit<RecordMember, "tags"> {
  return { host: name, port: 5_432, apiPort: 6_432 };
}

async function setAside(steps: Steps, { member, record }: ModelContext): Promise<void> {
  const leader = writableLeader(record);
  const { disk } = member;
  if (leader === null || disk.data === null) return;
  const upstream = await upstreamHistory(member, leader);
  const end = endOfData(member, upstream);
  if (disk.data === null) return;
  if (steps.standingOf(member, { end, upstream, record }).kind !== "behind")
    return steps.keepData(member);
  disk.replaced.push({ data: disk.data, term: record.term });
  disk.data = null;
}
