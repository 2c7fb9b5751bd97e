// A primary that cannot serve any longer, and whose agent lives and knows it first, hands its part
// to the standbys where any of them can take it.
import { UnderstudyError } from "../../core/errors.ts";
import { lastKnownPosition, type ClusterRecord } from "../../core/record.ts";
import { openElection } from "../../core/record-changes.ts";
import { whyNoRoom } from "../disk-room.ts";
import type { Member } from "../member.ts";
import { awaitSuccessor } from "./await-successor.ts";
import type { EffectContext } from "./effect.ts";
import { PATIENCE_MS, ballotOf, sharingOf, tagsOf } from "./election.ts";
import { endOrphans, start } from "./start.ts";

/** After a crash; where nobody can take its part it starts again. */
export async function stepDown(context: EffectContext): Promise<void> {
  const { member, record, decision, signal } = context;
  if (decision.rule === "step-down-when-shut-out") return stepDownShutOut(context);
  member.leaderWatch.noteOwnEnd();
  await endOrphans(member, signal);
  const others = Object.keys(record.members).filter((name) => name !== member.name);
  const hasSuccessor = await isAnyAble(context, others);
  if (!hasSuccessor || (await sharingOf(member, record)) !== null) return start(context);
  await freeOwnPart(context, {
    downMs: member.leaderWatch.takeOwnEnd(),
    why: `PostgreSQL of ${member.name} has ended without a shutdown`,
  });
}

/**
 * It lives, and lets nobody in. Not ended before it is known that somebody can take its part: on a
 * disk that all members share nobody would serve as much as a read.
 */
async function stepDownShutOut(context: EffectContext): Promise<void> {
  const { member, record, signal } = context;
  const shutOut = await member.shutOut.look();
  if (shutOut === null) return;
  const { why } = shutOut;
  const sharing = await sharingOf(member, record);
  if (sharing !== null || !(await isAnyAble(context, await membersWithRoom(member, record))))
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `${member.name} lets nobody in (${why}), and no other member that has room can take its part${sharing === null ? "" : `: ${sharing}`}`,
    );
  if (!(await mayGiveUp(member, record))) return;
  signal.throwIfAborted();
  await member.session.close();
  await member.server.kill(signal);
  await freeOwnPart(context, {
    downMs: shutOut.forMs,
    why: `PostgreSQL of ${member.name} let nobody in (${why}) and was ended`,
  });
}

/**
 * Asked last. While the store is away nobody could take its part, and once ended it would not start
 * again before that is back; and room may have come back while the others were asked.
 * @throws UnderstudyError STORE_UNAVAILABLE.
 */
export async function mayGiveUp(
  { keeper, shutOut }: Pick<Member, "keeper" | "shutOut">,
  { term }: Pick<ClusterRecord, "term">,
): Promise<boolean> {
  return (await keeper.confirmLease(term)) !== null && (await shutOut.look()) !== null;
}

/** Others whose disks have room, or cannot be seen from here. */
async function membersWithRoom(
  member: Pick<Member, "name" | "witness">,
  record: ClusterRecord,
): Promise<string[]> {
  const looks = Object.keys(record.members).map(async (name) => {
    const disk = member.witness.diskOf(name);
    const hasRoom = disk === null || (await whyNoRoom(disk.data)) === null;
    return name !== member.name && hasRoom ? [name] : [];
  });
  return (await Promise.all(looks)).flat();
}

async function isAnyAble(context: EffectContext, names: readonly string[]): Promise<boolean> {
  const { member, record, signal } = context;
  const others = Object.entries(record.members).filter(([name]) => {
    const { barred, delayed } = tagsOf(record, name);
    return names.includes(name) && !barred && !delayed;
  });
  const ask = (timeoutMs: number) =>
    others.map(([name, address]) => ballotOf(member, { record, name, address, timeoutMs, signal }));
  return awaitSuccessor({ ask, clock: member.clock, limitMs: PATIENCE_MS, signal });
}

/** Of a leader whose server is down. */
async function freeOwnPart(
  { member, record, decision }: EffectContext,
  of: { downMs: number | null; why: string },
): Promise<void> {
  const { downMs, why } = of;
  const ending = { by: member.name, rule: decision.rule, downMs };
  const gone = { leader: member.name, heir: null, term: record.term, ending };
  const opened = await member.keeper.change((current) => openElection(current, gone));
  if (opened === null) return;
  member.event({
    event: "stepped-down",
    rule: decision.rule,
    level: "warning",
    message: `${why}; its lease of term ${record.term} is free for the best standby.`,
    details: { term: record.term, downMs, lsn: lastKnownPosition(record)?.lsn ?? null },
  });
}
