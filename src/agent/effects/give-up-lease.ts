// A primary whose data was taken away under it. Its server may live on for up to a minute, by the
// files that it has open, and acknowledge what nobody will ever see again: it is ended first.
import type { EffectContext } from "./effect.ts";
import { giveUpLease } from "./lease.ts";
import { endOrphans } from "./start.ts";

export async function endAndGiveUpLease(context: EffectContext): Promise<void> {
  await endOrphans(context.member, context.signal);
  await giveUpLease(context);
}
