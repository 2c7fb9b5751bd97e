// One member as its agent's effects see it: where its files are, its server, its session, and what
// it knows.
import type { Entry, Journal } from "./journal.ts";
import type { ClusterRecord, RecordMember } from "../core/record.ts";
import { REPLICATION_ROLE } from "../core/role.ts";
import type { Secret } from "../core/secret.ts";
import type { Progress } from "../core/member-status.ts";
import type { PostgresServer } from "../postgres/server.ts";
import type { Upstream } from "../postgres/settings/context.ts";
import type { TlsClient } from "../postgres/tls.ts";
import type { ClusterFile, ClusterSecrets } from "./cluster-file.ts";
import type { Clock } from "./clock.ts";
import type { Drained } from "./drained.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import type { LeaderWatch } from "./leader-watch.ts";
import type { MemberMemory } from "./memory.ts";
import type { MemberTls } from "./member-tls.ts";
import type { MemberPaths } from "./member-paths.ts";
import type { Trust } from "./peer.ts";
import type { PositionProbe } from "./probe.ts";
import type { ShutOut } from "./shut-out.ts";
import type { Session } from "./session.ts";
import type { SyncKeeping } from "./sync/sync-keeping.ts";
import type { Supply } from "./supply.ts";
import type { Witness } from "./witness.ts";

export interface Member {
  readonly name: string;
  readonly clock: Clock;
  readonly cluster: string;
  readonly clusterRoot: string;
  readonly paths: MemberPaths;
  /** A volume for its WAL alone; null: that is with its data. */
  readonly walRoot: string | null;
  readonly secrets: ClusterSecrets;
  /** Null: there is none; members are on one machine. */
  readonly tls: MemberTls | null;
  readonly server: PostgresServer;
  readonly session: Session;
  /** For statements that take long, so that nothing waits behind them. */
  readonly longSession: Session;
  readonly positions: PositionProbe;
  readonly shutOut: ShutOut;
  readonly keeper: LeaseKeeper;
  readonly memory: MemberMemory;
  readonly witness: Witness;
  readonly drained: Drained;
  readonly leaderWatch: LeaderWatch;
  readonly sync: SyncKeeping;
  readonly supply: Supply;
  /** Of a primary: see SettingsContext. As its last pass has found it. */
  readonly logical: { synchronizedSlots: readonly string[] };
  readonly log: Journal;
  /** The specification as it was last read. */
  file(): ClusterFile;
  /** Writes a decision record that people read. */
  event(entry: Omit<Entry, "at" | "order" | "member">): void;
  /** What a long step has come to; null when it has ended. */
  progress(progress: Progress | null): void;
  /** Something has changed that its loop is to see now, and not when the effect has ended. */
  wake(): void;
}

/** Who vouches for that other member's agent. */
export function trustOf({ tls }: Pick<Member, "tls">, member: string): Trust | null {
  return tls === null ? null : { by: tls.context, member };
}

/** How this member logs in at another's server. */
export function loginOf(
  { secrets, tls }: Pick<Member, "secrets" | "tls">,
  at: { readonly name: string; readonly address: Pick<RecordMember, "host" | "port"> },
): { host: string; port: number; user: string; password: Secret; tls: TlsClient | null } {
  const { host, port } = at.address;
  const password = secrets.replication;
  return { host, port, user: REPLICATION_ROLE, password, tls: tls?.towards(at.name) ?? null };
}

/** Whom a standby's settings are to name. */
export function upstreamAt(of: {
  readonly name: string;
  readonly address: Pick<RecordMember, "host" | "port">;
}): Upstream {
  const { host, port } = of.address;
  return { name: of.name, host, port };
}

/** The record's leader with its address, once it is writable (its timeline is known). */
export interface Leader {
  readonly name: string;
  readonly address: RecordMember;
  readonly term: number;
  readonly timeline: number;
}

export function writableLeader(record: ClusterRecord | null): Leader | null {
  const name = record?.leader?.member;
  const timeline = record?.leader?.timeline ?? null;
  const address = name === undefined ? undefined : record?.members[name];
  if (record === null || name === undefined || address === undefined || timeline === null)
    return null;
  return { name, address, term: record.term, timeline };
}
