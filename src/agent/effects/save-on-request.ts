// A failover by hand asks this of the standby that is about to be named: to save what the disks of
// those that led still have. Nothing is irreversible yet, so a person can be told what is left.
import { isDelayed } from "../../core/cascade.ts";
import { UnderstudyError } from "../../core/errors.ts";
import { formerLeaders } from "../../core/protocol/election.ts";
import type { Ground } from "../../core/protocol/situation.ts";
import { askOthers, saveFromDisks } from "./election.ts";
import type { EffectContext } from "./effect.ts";
import { endDelay } from "./end-delay.ts";
import type { SavedWal } from "./save-wal.ts";
import { startAsStandby } from "./start.ts";

export type SavedOnRequest = Pick<
  SavedWal,
  "savedBytes" | "lostBytes" | "lostTransactions" | "trouble"
>;

const NOTHING_KNOWN: SavedOnRequest = {
  savedBytes: 0,
  lostBytes: null,
  lostTransactions: null,
  trouble: null,
};

/**
 * Repeatable. What was saved stays in the spool for the promotion that is to follow; where another
 * leads instead, that is emptied when this member follows it.
 * @param of.term in which a person has taken the lease away, so that nobody may take it meanwhile
 * @throws UnderstudyError FAILOVER_REFUSED when that is not so, TIMED_OUT, START_FAILED.
 */
export async function saveOnRequest(
  { member, signal }: Omit<EffectContext, "decision">,
  of: { term: number; ground: Ground },
): Promise<SavedOnRequest> {
  // It may have been changed a moment ago, by whoever asks.
  await member.keeper.refresh();
  const { record } = member.keeper;
  if (record?.term !== of.term || record.leader !== null || record.heir !== null || record.electing)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `${member.name} cannot save WAL for a failover by hand: the record has changed meanwhile`,
    );
  const context = { member, record, signal };
  // Without a primary to compare itself with it had not started; nobody leads, so it may.
  if (of.ground === "stopped" || of.ground === "crashed") await startAsStandby(context, null);
  if (isDelayed(record.members[member.name])) await endDelay(context);
  const old = formerLeaders(record).filter((name) => name !== member.name);
  const ballots = await askOthers(member, record);
  const saved = await saveFromDisks(context, { old, ballots, fromStandbys: true });
  // Whoever led is not known any more: whoever asks looks at the disks.
  if (saved === null) return NOTHING_KNOWN;
  const { savedBytes, lostBytes, lostTransactions, trouble } = saved;
  return { savedBytes, lostBytes, lostTransactions, trouble };
}
