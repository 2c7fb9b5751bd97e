// What every cluster has in its database server, as statements: the roles, and the applications'
// database. Made in the first data before anything runs on it; each primary sees to it that they
// are there (effects/lead.ts).
import { createHmac } from "node:crypto";
import { APPLICATION_DATABASE, APPLICATION_ROLE } from "../core/connection-url.ts";
import { Secret } from "../core/secret.ts";
import type { Major } from "../core/spec.ts";
import { quoteLiteral, quoteName } from "../postgres/base-backup/command.ts";
import { factsOf } from "../postgres/majors.ts";
import { scramVerifier } from "../postgres/scram-verifier.ts";
import type { ClusterSecrets } from "./cluster-file.ts";
import { REPLICATION_ROLE, REWIND_ROLE } from "../core/role.ts";

/** What pg_rewind reads another server's files by (manual, pg_rewind "Notes"). */
export const REWIND_FUNCTIONS = [
  "pg_catalog.pg_ls_dir(text, boolean, boolean)",
  "pg_catalog.pg_stat_file(text, boolean)",
  "pg_catalog.pg_read_binary_file(text)",
  "pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
];
/** The first major in which a role may be allowed to CHECKPOINT (pg_checkpoint). */
export const CHECKPOINT_ROLE_SINCE = 15;

export interface Role {
  readonly name: string;
  readonly rights: string;
  readonly password: Secret;
}

/** What standbys log in as, applications, and, from 11 on, a former primary's pg_rewind. */
export function rolesOf(
  secrets: ClusterSecrets,
): Record<"replication" | "application" | "rewind", Role> {
  const { replication, application } = secrets;
  return {
    replication: { name: REPLICATION_ROLE, rights: "LOGIN REPLICATION", password: replication },
    application: { name: APPLICATION_ROLE, rights: "LOGIN", password: application },
    rewind: { name: REWIND_ROLE, rights: "LOGIN", password: rewindPassword(replication) },
  };
}

/**
 * Made from the replication role's, whose owner may read every file anyway by a base backup; it
 * does not tell that one.
 */
export function rewindPassword(replication: Secret): Secret {
  const mac = createHmac("sha256", replication.reveal()).update(REWIND_ROLE);
  return new Secret(mac.digest("base64url"));
}

/** CREATE ROLE takes no parameters; the verifier is of a fixed alphabet and quoted all the same. */
export function createRole({ name, rights, password }: Role): string {
  return `CREATE ROLE ${quoteName(name)} ${rights} PASSWORD ${quoteLiteral(scramVerifier(password))}`;
}

export const CREATE_DATABASE = `CREATE DATABASE ${quoteName(APPLICATION_DATABASE)} OWNER ${quoteName(APPLICATION_ROLE)}`;

/**
 * The grants hold in the database in which they are made, which is the one pg_rewind logs in to.
 */
export function rewindGrants(major: Major): string[] {
  return [
    ...REWIND_FUNCTIONS.map((name) => `GRANT EXECUTE ON FUNCTION ${name} TO ${REWIND_ROLE}`),
    ...(major < CHECKPOINT_ROLE_SINCE ? [] : [`GRANT pg_checkpoint TO ${REWIND_ROLE}`]),
  ];
}

/**
 * For the single-user mode, in the database that agents connect to. Empty up to 11, whose clusters
 * get it all from their first primary: there is nothing by which the objects would get numbers of
 * their own.
 */
export function firstStatements(of: { major: Major; secrets: ClusterSecrets }): readonly string[] {
  const { major, secrets } = of;
  const facts = factsOf(major);
  if (!facts.hasNextOid) return [];
  const { replication, application, rewind } = rolesOf(secrets);
  return [
    LEAVE_SYSTEM_OIDS,
    ...[replication, application, rewind].map(createRole),
    ...rewindGrants(major),
    // As initdb makes its own: a copy of files, whose blocks go through no WAL.
    facts.databaseStrategy ? `${CREATE_DATABASE} STRATEGY file_copy` : CREATE_DATABASE,
  ];
}

/**
 * Outside of a postmaster numbers go on where initdb ended, among those that are kept for the
 * system (FirstNormalObjectId, 16384, in src/include/access/transam.h of PostgreSQL); a server
 * would begin beyond them.
 */
const LEAVE_SYSTEM_OIDS =
  "WITH RECURSIVE taken(number) AS (SELECT pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')::bigint" +
  " UNION ALL SELECT pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')::bigint FROM taken WHERE number < 16383)" +
  " SELECT max(number) FROM taken";
