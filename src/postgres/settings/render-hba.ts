// pg_hba.conf by least privilege: every line asks for SCRAM, none trusts, and each of our roles
// comes only from where it has business (lessons table 2, row 2).
import { isIP } from "node:net";
import { assert } from "../../core/errors.ts";
import { MAINTENANCE_DATABASE } from "./context.ts";
import { quoteHbaName } from "./quote.ts";

export interface HbaOptions {
  /** Host or address of every member, this one included. */
  readonly memberHosts: readonly string[];
  /** This member's own; it is let in where it is no loopback address. */
  readonly ownHost: string;
  readonly replicationUser: string;
  /**
   * Whether the replication role may also open the one database through which servers of 17 and
   * newer copy logical slots.
   */
  readonly copiesLogicalSlots?: boolean;
  /** The role by which pg_rewind reads a primary's files; no such lines where left out. */
  readonly rewindUser?: string;
  /** The role by which the agent and the commands work. */
  readonly adminUser: string;
  /** From where applications come, as "192.0.2.0/24"; loopback where left out. */
  readonly applicationNetworks?: readonly string[];
  /**
   * Whether members log in by certificate, and by nothing else, and nobody else without TLS. Left
   * out: nobody comes by TLS of ours.
   */
  readonly isByTls?: boolean;
  /** Whether applications are kept out for now; the cluster's own roles always come in. */
  readonly isClosed?: boolean;
}

const CLOSED_LINE = "# Closed: applications are kept out until standbys have confirmed.";

const SCRAM = "scram-sha-256";
/** Of pg_ident.conf: whom the members' certificate may log in as. */
export const CERTIFICATE_MAP = "understudy";

const LOOPBACK = ["127.0.0.1/32", "::1/128"];

/**
 * The first line that fits a connection decides (manual, 21.1): so our roles' lines stand before
 * "all".
 */
export function renderHba(options: HbaOptions): string {
  const replication = quoteHbaName(options.replicationUser);
  const rewind = options.rewindUser === undefined ? null : quoteHbaName(options.rewindUser);
  const admin = quoteHbaName(options.adminUser);
  const memberHosts = unique(options.memberHosts.map(hbaAddress));
  const { copiesLogicalSlots = false } = options;
  const own = unique([...LOOPBACK, hbaAddress(options.ownHost)]);
  const applications = (options.applicationNetworks ?? LOOPBACK).map(checkNetwork);
  const { isByTls = false } = options;
  const byMembers = (database: string, user: string) =>
    memberHosts.map((address) =>
      isByTls
        ? `hostssl ${database} ${user} ${address} cert map=${CERTIFICATE_MAP}`
        : line(database, user, address),
    );
  const lines = [
    "# Written by Understudy; changes made here are lost.",
    ...(copiesLogicalSlots
      ? [
          "# The replication role streams, from the members' addresses, and reads of slots in one database.",
          ...byMembers(MAINTENANCE_DATABASE, replication),
        ]
      : ["# The replication role streams, from the members' addresses, and opens no database."]),
    ...byMembers("replication", replication),
    ...reject(replication),
    ...(rewind === null
      ? []
      : [
          "# The rewind role reads files by function, in one database, from the members' addresses.",
          ...byMembers(MAINTENANCE_DATABASE, rewind),
          ...reject(rewind),
        ]),
    "# The administrator comes from this machine only, where nothing is between the two.",
    ...own.map((address) => line("all", admin, address)),
    ...reject(admin),
    ...(options.isClosed === true
      ? [CLOSED_LINE, "host all all all reject"]
      : [
          '# Applications; "all" does not include replication.',
          ...applications.map((address) =>
            isByTls ? `hostssl all all ${address} ${SCRAM}` : line("all", "all", address),
          ),
        ]),
  ];
  return `${lines.join("\n")}\n`;
}

/** Whether that pg_hba.conf keeps applications out. */
export function isClosedHba(text: string): boolean {
  return text.split("\n").includes(CLOSED_LINE);
}

function line(database: string, user: string, address: string): string {
  return `host ${database} ${user} ${address} ${SCRAM}`;
}

/** "all" as address is any, of both families. */
function reject(user: string): string[] {
  return [`host all ${user} all reject`, `host replication ${user} all reject`];
}

/**
 * A host name is resolved by the server at each connection, and must resolve back (manual, 21.1).
 */
function hbaAddress(host: string): string {
  const family = isIP(host);
  if (family === 4) return `${host}/32`;
  if (family === 6) return `${host}/128`;
  assert(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host), `"${host}" is no host name`);
  // As an address these words have a meaning of their own.
  assert(!["all", "samehost", "samenet"].includes(host), `"${host}" is no host name`);
  return host;
}

function checkNetwork(network: string): string {
  const [address = "", bits = "", ...rest] = network.split("/");
  const family = isIP(address);
  const width = Number(bits);
  const limit = family === 4 ? 32 : 128;
  assert(
    family !== 0 && rest.length === 0 && /^\d+$/.test(bits) && width > 0 && width <= limit,
    `"${network}" is no network of applications`,
  );
  return network;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
