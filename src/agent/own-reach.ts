// How far this member has come, whether its server is up or not.
import { findWalEnd } from "../postgres/wal-end.ts";
import type { Member } from "./member.ts";
import { reachOf, type WalReach } from "./reach.ts";

/** Asked of its server; where that is not up, its disk tells. */
export async function ownReach(
  member: Member,
): Promise<WalReach & { readonly kind: "up" | "down" }> {
  const position = await member.positions.read().catch(() => null);
  if (position !== null) return { kind: "up", ...reachOf(position, member.memory) };
  const end = await findWalEnd(member.paths.data).catch(() => null);
  return { kind: "down", lsn: end?.endLsn ?? null, timeline: end?.timeline ?? null };
}
