// Taking the lease that is free for this member, and giving it up when there is no data to lead
// with.
import { UnderstudyError } from "../../core/errors.ts";
import { isElecting, resignLease, takeLease } from "../../core/record-changes.ts";
import { promisedLeader } from "../confirmation.ts";
import type { Member } from "../member.ts";
import type { EffectContext } from "./effect.ts";

type Leaseholder = Pick<Member, "name" | "clock" | "keeper" | "memory" | "event">;
type Heir = Leaseholder & { readonly witness: Pick<Member["witness"], "hasNoServer"> };

export async function takeNamedLease({
  member,
  record: decided,
  decision,
}: EffectContext<Heir>): Promise<void> {
  // It is asked for again soon.
  if (promisedLeader(member, decided) !== null) return;
  const taken = await member.keeper.change((record) =>
    takeLease(record, {
      member: member.name,
      // Not known before it is writable; others follow only from then on.
      position: { lsn: null, timeline: null },
      at: member.clock.wallClock(),
      reason: decision.rule,
    }),
  );
  if (taken === null) return;
  await member.memory.rememberTerm(taken.term);
  member.event({
    event: "lease-taken",
    rule: decision.rule,
    message: `${member.name} holds the lease of term ${taken.term}.`,
    details: { term: taken.term },
  });
}

/**
 * The standbys choose the next one, or a person does while the cluster is paused. Reported as a
 * failure after it is done: that data is gone must be seen.
 */
export async function giveUpLease({ member, record }: EffectContext<Leaseholder>): Promise<void> {
  const { name } = member;
  const { term } = record;
  const released = await member.keeper.change((current) =>
    resignLease(current, { member: name, term }),
  );
  if (released === null) return;
  const next = isElecting(released) ? "for the best standby" : "and nobody was named to take it";
  const message = `${name} led term ${term} but its data directory is gone, half made or of another cluster; the lease is free ${next}`;
  member.event({
    event: "lease-given-up",
    level: "error",
    message,
    details: { term: record.term },
  });
  throw new UnderstudyError("DATA_MISSING", message);
}
