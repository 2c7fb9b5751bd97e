// Whether a standby that says that it streams is believed, and how far it is behind. Pure, from
// what it says itself and what the one shows that feeds it.
import { lsnDistance, parseLsnOrNull, type Lsn } from "./lsn.ts";
import type { MemberStatus, ReplicationPeer } from "./member-status.ts";

export type SyncState = "async" | "sync" | "quorum";

interface Around {
  readonly primary: MemberStatus | null;
  readonly statuses: ReadonlyMap<string, MemberStatus | { readonly unreachable: string }>;
}

/** Whose walsender feeds it: another standby's, where it is told to stream from one (cascading). */
export function senderOf(
  standby: MemberStatus,
  { primary, statuses }: Around,
): MemberStatus | null {
  const { upstream } = standby;
  if (upstream === null || upstream === primary?.name) return primary;
  const answer = statuses.get(upstream);
  return answer === undefined || "unreachable" in answer ? null : answer;
}

export function peerOf(sender: MemberStatus, name: string): ReplicationPeer | null {
  const rows = sender.replication.filter((row) => row.applicationName === name);
  // While a walsender waits for a vanished receiver's time-out, a member shows twice.
  return rows.find((row) => row.state === "streaming") ?? rows[0] ?? null;
}

export interface Lag {
  readonly receive: number | null;
  readonly replay: number | null;
}

export function lagOf(primary: MemberStatus | null, standby: MemberStatus): Lag {
  const to = parseLsnOrNull(primary?.writeLsn);
  const behind = (from: Lsn | null): number | null =>
    from === null || to === null ? null : lsnDistance({ from, to });
  return {
    receive: behind(parseLsnOrNull(standby.flushLsn)),
    replay: behind(parseLsnOrNull(standby.replayLsn)),
  };
}

/** Why a standby that says "streaming" is not believed; null when it is proven. */
export function doubtOf(facts: {
  standby: MemberStatus;
  primary: MemberStatus | null;
  sender: MemberStatus | null;
  peer: ReplicationPeer | null;
  lag: Lag;
}): string | null {
  const { standby, primary, sender, peer, lag } = facts;
  if (standby.role !== "standby") return "it says that it streams, but not that it is a standby";
  if (primary === null) return "it says that it streams, but there is no primary to confirm it";
  if (standby.systemId !== primary.systemId)
    return `its system identifier is not that of ${primary.name}`;
  const from = sender?.name ?? standby.upstream ?? primary.name;
  if (sender === null) return `it says that it streams from ${from}, which does not answer`;
  if (peer === null) return `it says that it streams, but ${from} does not show it`;
  if (peer.state !== "streaming") return `${from} shows it as "${peer.state}"`;
  if (standby.timeline === null || standby.timeline !== primary.timeline)
    return `it is on timeline ${standby.timeline ?? "unknown"}, ${primary.name} on ${primary.timeline ?? "unknown"}`;
  return lag.receive === null || lag.replay === null ? "its lag is not known" : null;
}

/** "potential" is a candidate for synchronous replication that nobody waits for. */
export function syncOf(peer: ReplicationPeer | null): SyncState | null {
  if (peer === null) return null;
  return peer.sync === "potential" ? "async" : peer.sync;
}
