// A failover by hand, when the primary is lost and nobody takes its place. As src/local/failover.ts
// does it: the lease is taken away first, then it is proven that the old primary can take no
// writes, then its WAL is compared. Nothing is saved from its disk before, as where that cannot be
// done: so more is lost here, and what is lost has to be told.
import {
  appointHeir,
  isFenced,
  reopenElection,
  revokeLease,
} from "../../src/core/record-changes.ts";
import { lastLeader, type ClusterRecord } from "../../src/core/record.ts";
import {
  compareReach,
  formerLeaders,
  termOfTimeline,
  type Reach,
} from "../../src/core/protocol/election.ts";
import { lossOf } from "../../src/core/protocol/wal-loss.ts";
import { changeRecord } from "../../src/store/store.ts";
import { pathOf } from "./model/election.ts";
import type { ModelServer } from "./model/server.ts";
import { stopModel } from "./model/steps.ts";
import { endOf, isPrefix, toLsn } from "./model/wal.ts";
import type { PersonOptions } from "./person.ts";
import type { SimulatedMember } from "./simulated-member.ts";

const FENCE_LIMIT_MS = 15_000;
const POLL_MS = 50;

export type Candidate = Reach & { readonly member: SimulatedMember };

/** How a failover by hand is decided, apart so that a deliberate defect can take a place. */
export interface Choice {
  /** Of the two, which is named. */
  readonly compare: (one: Candidate, other: Candidate) => number;
  /** Whether the one's WAL is all in the other's: as src/local/includes-wal.ts. */
  readonly isIncluded: (one: Candidate, other: Candidate) => boolean;
  /** Whether it waits until the old primary can take no writes. */
  readonly mustBeHarmless: boolean;
}

export const CHOICE: Choice = {
  compare: compareReach,
  isIncluded: (one, other) => {
    const [data, of] = [one.member.server.disk.data, other.member.server.disk.data];
    return data !== null && of !== null && one.lsn < other.lsn && isPrefix(data, of);
  },
  mustBeHarmless: true,
};

type Options = Pick<
  PersonOptions,
  "members" | "store" | "life" | "choice" | "checkers" | "onEvent"
>;

export async function failOver(options: Options, record: ClusterRecord): Promise<void> {
  const { store, checkers, onEvent, choice } = options;
  const { term } = record;
  const holder = record.leader?.member ?? record.heir;
  const all = candidates(options, record).sort(choice.compare);
  const to = furthest(all, choice);
  if (to === undefined) throw new Error("no member is up that could become the primary");
  const deadLeader = record.leader?.member ?? null;
  const revoked = await changeRecord(store, (current) =>
    revokeLease(current, { deadLeader, term }),
  );
  if (revoked === null) throw new Error("the record has changed");
  const appoint = (member: string) =>
    changeRecord(store, (current) => appointHeir(current, { member, deadLeader: null, term }));
  const suspects =
    holder === null ? formerLeaders(record).filter((name) => name !== to.name) : [holder];
  try {
    if (choice.mustBeHarmless)
      await Promise.all(suspects.map((name) => awaitHarmless(options, name)));
    refuseGreaterLoss(options, { record, to });
  } catch (thrown) {
    if (holder !== null) await appoint(holder);
    else if (record.electing)
      await changeRecord(store, (current) => reopenElection(current, { term }));
    throw thrown;
  }
  const loss = lossFrom(options, { from: lastLeader(record), to: to.member });
  onEvent("person", `names ${to.name}; lost: ${loss === null ? "unknown" : `${loss} bytes`}`);
  // Who comes up later is not waited for: that is for the person to know.
  // Nor is what a member has of which it is not known who began it, and which others have not.
  const better = all.filter(
    (each) => each.timelineTerm >= to.timelineTerm || CHOICE.isIncluded(to, each),
  );
  const others = better.map(({ member }) => member.server);
  const named = { server: to.member.server, others, lossReported: loss !== 0 };
  checkers.named({ ...named, byPerson: true });
  checkers.asked("failover", to.name);
  await appoint(to.name);
}

/** The old primary may have gone on for a while, and another standby with it. */
function refuseGreaterLoss(
  options: Options,
  { record, to }: { record: ClusterRecord; to: Candidate },
): void {
  const all = candidates(options, record);
  const own = all.find(({ name }) => name === to.name);
  if (own === undefined || all.some((each) => options.choice.isIncluded(own, each)))
    throw new Error("more would be lost than was told");
}

/** As furthestFirst in src/local/candidates.ts. */
function furthest(sorted: readonly Candidate[], { isIncluded }: Choice): Candidate | undefined {
  let [best] = sorted;
  for (const each of sorted) if (best !== undefined && isIncluded(best, each)) best = each;
  return best;
}

function candidates({ members }: Options, record: ClusterRecord): Candidate[] {
  const from = record.leader?.member ?? record.heir;
  return [...members.values()].flatMap((member): Candidate[] => {
    const { answering, server, name } = member;
    const { data } = server.disk;
    if (answering === null || name === from || data === null || !hasData(server)) return [];
    const tags = record.members[name]?.tags;
    if (tags === undefined || tags.nofailover === true || isFenced(record, name)) return [];
    if (data.freshCopy !== null) return [];
    if (server.state !== "accepting" && server.hasProcesses) return [];
    const { timeline, lsn } = endOf(data);
    const timelineTerm = termOfTimeline(timeline, answering.member.memory.forks);
    return [{ name, member, timeline, timelineTerm, lsn: toLsn(lsn) }];
  });
}

async function awaitHarmless({ members, life }: Options, name: string): Promise<void> {
  const member = members.get(name);
  const asked = { isStopped: false };
  void member?.answering?.agent.request("restart", stopModel).then(
    () => (asked.isStopped = true),
    () => {},
  );
  for (let waitedMs = 0; member?.server.hasProcesses === true; waitedMs += POLL_MS) {
    if (asked.isStopped) return;
    if (waitedMs > FENCE_LIMIT_MS) throw new Error(`PostgreSQL of ${name} has not ended`);
    await life.sleep(POLL_MS);
  }
}

/** Null when nothing tells. */
function lossFrom(
  { members }: Options,
  { from, to }: { from: string | null; to: SimulatedMember },
): number | null {
  const dead = from === null ? undefined : members.get(from);
  if (dead === undefined || !hasData(dead.server)) return null;
  if (dead === to) return 0;
  const [one, other] = [pathOf(dead.server), pathOf(to.server)];
  return one === null || other === null ? null : lossOf(one, other);
}

function hasData({ disk }: ModelServer): boolean {
  return disk.data !== null && !disk.marker;
}
