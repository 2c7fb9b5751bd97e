// Where the files of a cluster and of its members are, on one machine. Everything is below one
// directory that only its owner can enter; settings and logs are outside of PGDATA, so that no copy
// carries them along.
import { join } from "node:path";

export interface ClusterPaths {
  readonly root: string;
  /** The specification and the chosen PostgreSQL. */
  readonly cluster: string;
  readonly record: string;
  /** Passwords and the token of the control API; mode 0600. */
  readonly secrets: string;
  /** Held by the one command that changes the cluster as a whole. */
  readonly operationLock: string;
  /** What persons have decided by commands. */
  readonly events: string;
  readonly members: string;
}

export interface MemberPaths {
  readonly root: string;
  readonly data: string;
  /** Where a copy is made before it becomes `data`. */
  readonly staging: string;
  /** Earlier data directories that held WAL which the cluster does not. */
  readonly kept: string;
  readonly tablespaces: string;
  /**
   * Where a rescue puts WAL of a dead primary for this member to replay. Empty at all other times.
   */
  readonly spool: string;
  /**
   * What was fetched of a dead primary's disk that cannot be read from here, for a rescue; not
   * there at all other times.
   */
  readonly fetched: string;
  readonly settings: string;
  readonly configFile: string;
  readonly hbaFile: string;
  readonly identFile: string;
  readonly passfile: string;
  readonly logs: string;
  readonly agentLog: string;
  /** What an agent prints when it ends unexpectedly. */
  readonly agentOutput: string;
  readonly events: string;
  /** The newest term and timeline this member has known. */
  readonly memory: string;
  /** Where this member was last reached, for when the record cannot be read. */
  readonly address: string;
  /** Held by the one agent that runs this member. */
  readonly agentLock: string;
  /** Held by the one process that makes the first data of a new cluster here. */
  readonly foundingLock: string;
}

export function clusterPaths(root: string): ClusterPaths {
  return {
    root,
    cluster: join(root, "cluster.json"),
    record: join(root, "record.db"),
    secrets: join(root, "secrets.json"),
    operationLock: join(root, "operation.lock"),
    events: join(root, "events.jsonl"),
    members: join(root, "members"),
  };
}

export function memberPaths(clusterRoot: string, name: string): MemberPaths {
  const root = join(clusterPaths(clusterRoot).members, name);
  const settings = join(root, "settings");
  const logs = join(root, "logs");
  return {
    root,
    data: join(root, "data"),
    staging: join(root, "staging"),
    kept: join(root, "kept"),
    tablespaces: join(root, "tablespaces"),
    spool: join(root, "spool"),
    fetched: join(root, "fetched"),
    settings,
    configFile: join(settings, "postgresql.conf"),
    hbaFile: join(settings, "pg_hba.conf"),
    identFile: join(settings, "pg_ident.conf"),
    passfile: join(settings, "passfile"),
    logs,
    agentLog: join(logs, "agent.log"),
    agentOutput: join(logs, "agent.out"),
    events: join(root, "events.jsonl"),
    memory: join(root, "memory.json"),
    address: join(root, "address.json"),
    agentLock: join(root, "agent.lock"),
    foundingLock: join(root, "founding.lock"),
  };
}
