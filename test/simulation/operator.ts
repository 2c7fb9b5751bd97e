// The person at the cluster: asks for switchovers, and for a failover by hand when the primary is
// lost and nobody takes its place. As src/local/failover.ts does it: the lease is taken away first,
// then it is proven that the old primary can take no writes, then its WAL is compared.
import {
  appointHeir,
  beginSwitchover,
  releaseLease,
  revokeLease,
  withdrawSwitchover,
} from "../../src/core/record-changes.ts";
import { UnderstudyError } from "../../src/core/errors.ts";
import { lastLeader, type ClusterRecord } from "../../src/core/record.ts";
import { compareReach, termOfTimeline, type Reach } from "../../src/core/protocol/election.ts";
import { lossOf } from "../../src/core/protocol/wal-loss.ts";
import { changeRecord, type Store } from "../../src/store/store.ts";
import type { Life } from "./life.ts";
import type { ModelContext } from "./model/member.ts";
import type { ModelServer } from "./model/server.ts";
import { stopModel, type Steps } from "./model/steps.ts";
import { pathOf } from "./model/election.ts";
import { endOf, toLsn } from "./model/wal.ts";
import type { Successor } from "./checkers.ts";
import type { SimulatedMember } from "./simulated-member.ts";

const FENCE_LIMIT_MS = 15_000;

export interface OperatorOptions {
  readonly members: ReadonlyMap<string, SimulatedMember>;
  readonly store: Store;
  readonly life: Life;
  readonly steps: Steps;
  readonly choice: Choice;
  /** How long nobody may lead before the person acts. */
  readonly patienceMs: () => number;
  readonly onNamed: (successor: Successor) => void;
  readonly onEvent: (who: string, text: string) => void;
}

export type Candidate = Reach & { readonly member: SimulatedMember };

/** How a failover by hand is decided, apart so that a deliberate defect can take a place. */
export interface Choice {
  /** Of the two, which is named. */
  readonly compare: (one: Candidate, other: Candidate) => number;
}

export const CHOICE: Choice = { compare: compareReach };

export class Operator {
  readonly #options: OperatorOptions;
  #leaderlessMs = 0;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const LOOK_MS = 1_000;
    for (;;) {
      await this.#options.life.sleep(LOOK_MS);
      const read = await this.#options.store.read().catch(() => null);
      const record = read?.record ?? null;
      if (record === null) continue;
      this.#leaderlessMs = this.#mustAct(record) ? this.#leaderlessMs + LOOK_MS : 0;
      if (this.#leaderlessMs <= this.#options.patienceMs()) continue;
      this.#leaderlessMs = 0;
      await this.#failOver(record).catch((thrown: unknown) =>
        this.#options.onEvent("person", `failover refused: ${String(thrown)}`),
      );
    }
  }

  /** Asks the primary's agent; whatever it answers. */
  askForSwitchover(to: string): void {
    const { members, steps, onEvent } = this.#options;
    for (const { answering, agent } of members.values()) {
      if (answering === null || agent === null || !answering.model.isWritable) continue;
      void agent
        .request("switchover", (context) => handOver(steps, { ...context, to }))
        .then(
          () => onEvent("person", `switched over to ${to}`),
          (thrown: unknown) => onEvent("person", `no switchover to ${to}: ${String(thrown)}`),
        );
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
    const { agent, server } = member;
    return agent === null || agent.activity.failure !== null || !hasData(server);
  }

  async #failOver(record: ClusterRecord): Promise<void> {
    const { store, onNamed, onEvent } = this.#options;
    const { term } = record;
    const holder = record.leader?.member ?? record.heir;
    const to = this.#bestCandidate(record, holder);
    if (to === null) throw new Error("no member is up that could become the primary");
    const deadLeader = record.leader?.member ?? null;
    const revoked = await changeRecord(store, (current) =>
      revokeLease(current, { deadLeader, term }),
    );
    if (revoked === null) throw new Error("the record has changed");
    const appoint = (member: string) =>
      changeRecord(store, (current) => appointHeir(current, { member, deadLeader: null, term }));
    try {
      if (holder !== null) await this.#awaitHarmless(holder);
    } catch (thrown) {
      if (holder !== null) await appoint(holder);
      throw thrown;
    }
    const loss = this.#lossOf(lastLeader(record), to.member);
    onEvent("person", `names ${to.name}; lost: ${loss === null ? "unknown" : `${loss} bytes`}`);
    const others = this.#candidates(record, holder).map(({ member }) => member.server);
    onNamed({ server: to.member.server, others, lossReported: loss !== 0 });
    await appoint(to.name);
  }

  #bestCandidate(record: ClusterRecord, from: string | null): Candidate | null {
    const candidates = this.#candidates(record, from);
    return candidates.sort(this.#options.choice.compare)[0] ?? null;
  }

  #candidates(record: ClusterRecord, from: string | null): Candidate[] {
    return [...this.#options.members.values()].flatMap((member): Candidate[] => {
      const { answering, server, name } = member;
      const { data } = server.disk;
      if (answering === null || name === from || data === null || !hasData(server)) return [];
      if (!(name in record.members) || data.freshCopy !== null) return [];
      if (server.state !== "accepting" && server.hasProcesses) return [];
      const { timeline, lsn } = endOf(data);
      const timelineTerm = termOfTimeline(timeline, answering.memory.forks);
      return [{ name, member, timeline, timelineTerm, lsn: toLsn(lsn) }];
    });
  }

  async #awaitHarmless(name: string): Promise<void> {
    const { members, life } = this.#options;
    const member = members.get(name);
    const asked = { isStopped: false };
    if (member?.answering !== null)
      void member?.agent?.request("restart", stopModel).then(
        () => (asked.isStopped = true),
        () => {},
      );
    for (let waitedMs = 0; member?.server.hasProcesses === true; waitedMs += 50) {
      if (asked.isStopped) return;
      if (waitedMs > FENCE_LIMIT_MS) throw new Error(`PostgreSQL of ${name} has not ended`);
      await life.sleep(50);
    }
  }

  /** Null when nothing tells. */
  #lossOf(from: string | null, to: SimulatedMember): number | null {
    const dead = from === null ? undefined : this.#options.members.get(from);
    if (dead === undefined || !hasData(dead.server)) return null;
    if (dead === to) return 0;
    const [one, other] = [pathOf(dead.server), pathOf(to.server)];
    return one === null || other === null ? null : lossOf(one, other);
  }
}

function hasData({ disk }: ModelServer): boolean {
  return disk.data !== null && !disk.marker;
}

/** As src/agent/effects/hand-over.ts. */
async function handOver(
  steps: Steps,
  situation: Omit<ModelContext, "decision"> & { to: string },
): Promise<void> {
  const { member, record, to, signal } = situation;
  const successor = member.around.memberOf(to, member.name);
  if (!member.keeper.holdsLease || to === member.name || record.switchover !== null)
    throw new UnderstudyError("SWITCHOVER_REFUSED", "it cannot begin");
  if (successor?.model.streamsFrom !== member.model)
    throw new UnderstudyError("SWITCHOVER_REFUSED", `${to} does not stream`);
  await member.life.sleep(member.random.between(20, 300), signal);
  const plan = { from: member.name, to, term: record.term };
  if ((await member.keeper.change((current) => beginSwitchover(current, plan))) === null)
    throw new UnderstudyError("SWITCHOVER_REFUSED", "the record has changed");
  member.event({ event: "switchover-begun", message: to });
  try {
    const end = await steps.shutDown(situation);
    await steps.successorHasAll({ ...situation, end });
    const holder = { member: member.name, term: record.term, heir: to };
    const released = await member.keeper.change((current) => releaseLease(current, holder));
    if (released === null) throw new UnderstudyError("SWITCHOVER_FAILED", "the lease is gone");
    member.event({ event: "handed-over", message: to });
  } catch (thrown) {
    await member.keeper.change(withdrawSwitchover).catch(() => null);
    member.event({ event: "switchover-undone", message: to });
    throw thrown;
  }
}
