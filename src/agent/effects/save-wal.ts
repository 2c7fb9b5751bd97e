// What a standby that is about to lead has not yet got of the old primary's WAL, fetched from the
// old primary's disk, or from its agent where that disk is another machine's: in that order nothing
// is lost when only its processes died (postgres-facts, 1: drain, prove, promote).
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import { formatLsn, lsnDistance, parseLsnOrNull, type Lsn } from "../../core/lsn.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { rescueWal } from "../../postgres/wal-rescue/rescue-wal.ts";
import { readTimelineHistory } from "../../postgres/wal-end.ts";
import { clearSpool } from "../../postgres/wal-rescue/spool.ts";
import { deadWalOf, forgetFetched, type DeadWal } from "../dead-wal.ts";
import type { DrainedWal } from "../drained.ts";
import { lossOnDisk } from "../loss-on-disk.ts";
import type { Member } from "../member.ts";
import { MemberMemory } from "../memory.ts";
import { reachAt } from "../own-reach.ts";
import { leaveUpstream, showSpool } from "./leave-upstream.ts";
import { cutReaders } from "./promote.ts";

export interface SavedWal {
  /** Of the old primary's WAL that this standby had not. */
  readonly savedBytes: number;
  /** Null when it cannot be told. */
  readonly lostBytes: number | null;
  /** Committed in them; null when that cannot be told. */
  readonly lostTransactions: number | null;
  /** Where the WAL of each of them ended, as far as it was read. */
  readonly ends: readonly { readonly name: string; readonly lsn: Lsn; readonly timeline: number }[];
  /** Why not everything was saved. */
  readonly trouble: string | null;
  /** Whether more of it may be had, or told, when that is tried again. */
  readonly mayPass: boolean;
}

const REPLAY_POLL_MS = 3;
/** Replay that does not move for so long will not get there. */
const STALL_LIMIT_MS = 10_000;

const NOTHING_MISSING: SavedWal = {
  savedBytes: 0,
  lostBytes: 0,
  lostTransactions: 0,
  ends: [],
  trouble: null,
  mayPass: false,
};

/** The dead member's, once it was found. */
interface Found {
  wal: DeadWal | null;
}

interface Drain {
  readonly from: string;
  /** Its agent answers. */
  readonly isAnswering: boolean;
  /** Of a term in which nobody leads. */
  readonly record: ClusterRecord;
  readonly signal: AbortSignal;
}

/** One disk after the other; what is lost of one of them is lost. */
export async function saveAll(
  member: Member,
  of: Pick<Drain, "record" | "signal"> & {
    readonly from: readonly string[];
    /** Whose agents answer. */
    readonly answering: readonly string[];
  },
): Promise<SavedWal> {
  const { record, signal, answering } = of;
  let all: SavedWal = NOTHING_MISSING;
  for (const from of of.from) {
    const isAnswering = answering.includes(from);
    const one = await saveWal(member, { from, record, signal, isAnswering });
    all = {
      savedBytes: all.savedBytes + one.savedBytes,
      lostBytes: sum(all.lostBytes, one.lostBytes),
      lostTransactions: sum(all.lostTransactions, one.lostTransactions),
      ends: [...all.ends, ...one.ends],
      trouble: all.trouble ?? one.trouble,
      mayPass: all.mayPass || one.mayPass,
    };
  }
  return all;
}

/** What is not known of one is not known of both. */
function sum(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one + other;
}

/**
 * Returns when everything is replayed that can be had. The spool is left filled then: the promotion
 * that follows empties it. Nothing that fails here is thrown but an abort: what is lost is told.
 */
async function saveWal(member: Member, of: Drain): Promise<SavedWal> {
  const { from, signal } = of;
  const dead: Found = { wal: null };
  try {
    await member.witness.fence(from, signal);
    return await drain(member, of, dead);
  } catch (thrown) {
    await clearSpool(member.paths.spool);
    signal.throwIfAborted();
    const trouble = messageOf(thrown);
    const mayPass = isLate(thrown);
    try {
      const missing = unsaved(await missingOf(member, from, dead), trouble);
      return { ...missing, mayPass: missing.mayPass || mayPass };
    } catch {
      // Its own server does not answer at this moment: that says nothing of what is lost.
      return { ...NOTHING_MISSING, ...UNKNOWN, trouble, mayPass: true };
    }
  } finally {
    if (dead.wal?.fetched !== undefined) await forgetFetched(member.paths);
  }
}

/** An agent that answered a moment ago: should it be gone, it does not answer the next time. */
function isLate(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code === "TIMED_OUT" || code === "MEMBER_UNREACHABLE";
}

async function drain(member: Member, of: Drain, dead: Found): Promise<SavedWal> {
  const { from, record, signal } = of;
  const { term } = record;
  const { lsn: position, timeline } = await reachAt(member, await member.positions.read());
  const known = position === null ? null : member.drained.find(term, { from, position });
  if (known !== null) return savedOf(known);
  dead.wal = position === null ? null : await deadWalOf(member, { ...of, position });
  if (dead.wal === null || position === null)
    return { ...NOTHING_MISSING, ...UNKNOWN, trouble: `the disk of ${from} is not here` };
  const { disk, fetched } = dead.wal;
  await dead.wal.fetch();
  const rescue = await rescueWal({
    deadDataDir: disk.data,
    fetched,
    standbyDataDir: member.paths.data,
    spoolDir: member.paths.spool,
    position,
    leaveUpstream: () => leaveUpstream({ member, record, signal }),
    signal,
  });
  if (rescue.kind === "refused")
    return unsaved(await missingOf(member, from, dead), rescue.message);
  const { endLsn } = rescue;
  if (rescue.kind === "filled") {
    await cutReaders(member);
    await showSpool({ member, record, signal });
    await awaitReplayed(member, { endLsn, signal });
  }
  await rememberWay(member, { disk, before: timeline, timeline: rescue.timeline, from });
  const savedBytes = rescue.kind === "filled" ? lsnDistance({ from: position, to: endLsn }) : 0;
  const drained = { from, endLsn, timeline: rescue.timeline, savedBytes };
  member.drained.add(term, drained);
  return savedOf(drained);
}

function savedOf({ from, endLsn, timeline, savedBytes }: DrainedWal): SavedWal {
  return { ...NOTHING_MISSING, savedBytes, ends: [{ name: from, lsn: endLsn, timeline }] };
}

/**
 * What was drained may lead onto a timeline that this member had not followed yet. Which term began
 * it the dead one has written down; without that, others who are on it would have to be copied
 * anew.
 */
async function rememberWay(
  member: Member,
  of: { from: string; disk: DeadWal["disk"]; before: number | null; timeline: number },
): Promise<void> {
  const { from, disk, before, timeline } = of;
  if (before === null || before === timeline) return;
  const dead = await MemberMemory.load(disk.memory);
  const forks = dead.forks.filter((fork) => fork.timeline <= timeline);
  const { ancestors } = await readTimelineHistory(disk.data, timeline);
  const left = ancestors.find((ancestor) => ancestor.timeline === before);
  if (left === undefined || forks.at(-1)?.timeline !== timeline) return;
  const followed = {
    leader: from,
    timeline,
    before,
    switchPoint: formatLsn(left.switchPoint),
  };
  await member.memory.rememberPath({ followed, forks });
}

type Lost = Pick<SavedWal, "lostBytes" | "lostTransactions">;

const UNKNOWN: Lost = { lostBytes: null, lostTransactions: null };

/** A disk that is there may give it later: it is full, or the replay has much to do. */
function unsaved(lost: Lost, trouble: string): SavedWal {
  const mayPass = lost.lostBytes !== null && lost.lostBytes > 0;
  return { ...NOTHING_MISSING, ...lost, trouble, mayPass };
}

/** What the old primary has and this member has not. */
async function missingOf(member: Member, from: string, { wal }: Found): Promise<Lost> {
  const disk = wal?.disk ?? member.witness.diskOf(from);
  const { lsn, timeline } = await reachAt(member, await member.positions.read());
  if (disk === null || lsn === null) return UNKNOWN;
  const { forks } = member.memory;
  const successor = { dataDir: member.paths.data, lsn, timeline, forks };
  const lost = await lossOnDisk(disk, successor, wal?.fetched);
  if (lost === null || lost === "unreadable") return UNKNOWN;
  return { lostBytes: lost.bytes, lostTransactions: lost.transactions };
}

/** Beyond or at: nothing that the old primary wrote lies behind its end. */
export async function awaitReplayed(
  member: Member,
  of: { endLsn: Lsn; signal: AbortSignal },
): Promise<void> {
  let last: Lsn | null = null;
  let sinceMs = performance.now();
  for (;;) {
    of.signal.throwIfAborted();
    const replayed = parseLsnOrNull((await member.positions.read()).replayLsn);
    if (replayed !== null && replayed >= of.endLsn) return;
    if (replayed !== last) [last, sinceMs] = [replayed, performance.now()];
    if (performance.now() - sinceMs > STALL_LIMIT_MS)
      throw new UnderstudyError(
        "TIMED_OUT",
        `replay on ${member.name} stands at ${replayed === null ? "nothing" : formatLsn(replayed)} for ${STALL_LIMIT_MS / 1000} s, short of ${formatLsn(of.endLsn)}`,
      );
    await delay(REPLAY_POLL_MS);
  }
}
