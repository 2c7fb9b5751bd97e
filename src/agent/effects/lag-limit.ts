// `maximumLag`: a standby that lacks too much of what the last leader is known to have written does
// not take over by itself. Measured by the old primary's disk where that can be read, else by what
// it last said of itself and by what other members have.
import { formatByteSize } from "../../core/byte-size.ts";
import { UnderstudyError } from "../../core/errors.ts";
import type { Ballot } from "../../core/protocol/election.ts";
import { lagOf } from "../../core/protocol/lag.ts";
import { lastKnownPosition, type ClusterRecord } from "../../core/record.ts";
import { estimateTransactions } from "../loss-on-disk.ts";
import type { EffectContext } from "./effect.ts";
import type { SavedWal } from "./save-wal.ts";

/** What is lost, as far as it can be told without the old primary's disk. */
export interface ExpectedLoss {
  /** At least so many; null where nothing tells. */
  readonly bytes: number | null;
  /** By what the newest WAL holds. */
  readonly transactions: number | null;
}

/** Null where the old primary's disk tells, or nobody led. */
export async function expectedLoss(of: {
  context: EffectContext;
  own: Ballot;
  ballots: readonly Ballot[];
  saved: SavedWal | null;
}): Promise<ExpectedLoss | null> {
  const { own, ballots, saved } = of;
  const { member, record } = of.context;
  if (saved === null || saved.lostBytes !== null || !("lsn" in own)) return null;
  const others = ballots.flatMap((ballot) =>
    "lsn" in ballot && ballot.name !== own.name ? [ballot] : [],
  );
  const bytes = lagOf(own, { last: lastKnownPosition(record), forks: record.forks, others });
  if (bytes === null) return { bytes, transactions: null };
  return { bytes, transactions: await estimateTransactions(member.paths.data, bytes) };
}

/** None under a synchronous guarantee: what a standby lacks was never acknowledged then. */
export function maximumLagIn({ policy, sync }: ClusterRecord): number | null {
  return sync.guarantee === null ? policy.maximumLagBytes : null;
}

/** Null where the limit lets it take over. */
export function refusalOfLag(of: {
  context: EffectContext;
  old: readonly string[];
  saved: SavedWal | null;
  expected: ExpectedLoss | null;
}): UnderstudyError | null {
  const { context, old, saved, expected } = of;
  const { member, record } = context;
  const limit = maximumLagIn(record);
  if (limit === null || saved === null) return null;
  const lagBytes = saved.lostBytes ?? expected?.bytes ?? null;
  if (lagBytes !== null && lagBytes <= limit) return null;
  const { name } = member;
  const lacks =
    lagBytes === null
      ? `how much ${name} lacks of what ${old.join(" and ")} wrote cannot be told`
      : `${name} lacks ${lagBytes} bytes of what ${old.join(" and ")} wrote`;
  return new UnderstudyError(
    "FAILOVER_REFUSED",
    `nobody takes over by itself: ${lacks}, and maximumLag is ${formatByteSize(limit)}; a person may: understudy failover --accept-loss`,
    {
      details: {
        term: record.term,
        candidate: name,
        old,
        lagBytes,
        maximumLagBytes: limit,
        lastKnown: lastKnownPosition(record),
      },
    },
  );
}
