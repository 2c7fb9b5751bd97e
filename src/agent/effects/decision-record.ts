// What is kept of the choice of a new primary, for people and programs: how far every member was,
// why the others were not chosen, and what is lost.
import { formatLsn, greatestLsn } from "../../core/lsn.ts";
import { whyNotChosen, type Ballot, type Reach } from "../../core/protocol/election.ts";
import { readControlData } from "../../postgres/control-data.ts";
import type { Decision } from "../../core/protocol/decide.ts";
import type { ClusterRecord } from "../../core/record.ts";
import type { Entry } from "../journal.ts";
import type { Member } from "../member.ts";
import type { ExpectedLoss } from "./lag-limit.ts";
import type { SavedWal } from "./save-wal.ts";

/** One member at the moment of the choice. */
export interface MemberAtChoice {
  readonly name: string;
  readonly state: Ballot["kind"];
  readonly timeline: number | null;
  /** Null where nothing tells. */
  readonly lsn: string | null;
  /** It may have more: only its control file was read. */
  readonly lsnIsLeast: boolean;
  readonly chosen: boolean;
  /** Why it was not chosen, as part of a sentence; null of the one that was. */
  readonly why: string | null;
}

type Winner = Reach & { readonly priority: number };

/** @throws nothing: what cannot be read is not known. */
async function membersAtChoice(
  member: Pick<Member, "witness">,
  of: { ballots: readonly Ballot[]; winner: Winner; saved: SavedWal | null },
): Promise<MemberAtChoice[]> {
  const { ballots, winner, saved } = of;
  return Promise.all(
    ballots.map(async (ballot) => {
      const { name, kind: state } = ballot;
      const chosen = name === winner.name;
      const position = await positionOf(member, { ballot, saved });
      const why = chosen ? null : whyNotChosen(ballot, winner);
      return Object.assign({ name, state, chosen, why }, position);
    }),
  );
}

async function positionOf(
  { witness }: Pick<Member, "witness">,
  of: { ballot: Ballot; saved: SavedWal | null },
): Promise<Pick<MemberAtChoice, "timeline" | "lsn" | "lsnIsLeast">> {
  const { ballot, saved } = of;
  if (ballot.kind === "up" || ballot.kind === "down")
    return { timeline: ballot.timeline, lsn: formatLsn(ballot.lsn), lsnIsLeast: false };
  const read = saved?.ends.find(({ name }) => name === ballot.name) ?? ballot.onDisk ?? null;
  if (read !== null)
    return { timeline: read.timeline, lsn: formatLsn(read.lsn), lsnIsLeast: false };
  const disk = witness.diskOf(ballot.name);
  const control = disk === null ? null : await readControlData(disk.data).catch(() => null);
  const least = greatestLsn(control?.checkpointLsn ?? null, control?.minRecoveryLsn ?? null);
  return {
    timeline: control?.timeline ?? null,
    lsn: least === null ? null : formatLsn(least),
    lsnIsLeast: least !== null,
  };
}

/** The event of an election that was won. */
export async function describeElection(
  member: Pick<Member, "name" | "witness" | "leaderWatch">,
  of: {
    decision: Decision;
    taken: ClusterRecord;
    ballots: readonly Ballot[];
    own: Ballot;
    old: readonly string[];
    saved: SavedWal | null;
    expected: ExpectedLoss | null;
    reason: string;
  },
): Promise<Omit<Entry, "at" | "member">> {
  const { decision, taken, ballots, own, old, saved, expected, reason } = of;
  const lost = describeSaved(saved, { old: old.join(" and "), expected });
  const members = "lsn" in own ? membersAtChoice(member, { ballots, winner: own, saved }) : [];
  return {
    event: "elected",
    rule: decision.rule,
    level: saved === null || saved.lostBytes === 0 ? "info" : "warning",
    message: `${member.name} takes the lease of term ${taken.term}: ${reason}; ${lost}.`,
    details: {
      term: taken.term,
      decidedBy: member.name,
      reason,
      old,
      ended: taken.ended,
      lastKnown: taken.lastKnown,
      savedBytes: saved?.savedBytes ?? null,
      lostBytes: saved?.lostBytes ?? null,
      lostTransactions: saved?.lostTransactions ?? null,
      expectedLoss: expected,
      withoutPrimaryMs: member.leaderWatch.withoutPrimaryForMs(taken),
      members: await members,
    },
  };
}

/** Part of a sentence. */
function describeSaved(
  saved: SavedWal | null,
  of: { old: string; expected: ExpectedLoss | null },
): string {
  const { old, expected } = of;
  if (saved === null) return "nobody led before it";
  const { savedBytes, lostBytes, lostTransactions, trouble } = saved;
  if (lostBytes === null)
    return `what is lost of ${old} cannot be told${expectedIn(expected)}: ${trouble ?? "its disk cannot be read"}`;
  if (lostBytes > 0)
    return `${lostBytes} bytes of ${old} are lost, ${transactionsIn(lostTransactions)}${trouble === null ? "" : `: ${trouble}`}`;
  return savedBytes > 0
    ? `${savedBytes} bytes were saved from the disk of ${old}, nothing is lost`
    : `it has all WAL of ${old}, nothing is lost`;
}

function expectedIn(expected: ExpectedLoss | null): string {
  if (expected === null || expected.bytes === null) return "";
  const about =
    expected.transactions === null ? "" : `, about ${expected.transactions} transactions`;
  return `, at least ${expected.bytes} bytes by its last renewal${about}`;
}

function transactionsIn(count: number | null): string {
  if (count === null) return "and in them an unknown number of transactions";
  return `and in them ${count} committed transaction${count === 1 ? "" : "s"}`;
}

/** For details: positions as text. */
export function describeBallot(ballot: Ballot): Readonly<Record<string, unknown>> {
  if (ballot.kind === "gone" || ballot.kind === "silent") {
    const { kind, name, onDisk } = ballot;
    return { kind, name, onDisk: onDisk === undefined ? null : formatLsn(onDisk.lsn) };
  }
  return { ...ballot, lsn: formatLsn(ballot.lsn) };
}
