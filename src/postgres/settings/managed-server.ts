// The managed settings of any server that Understudy runs: places, network, authentication, log,
// and the values that initdb would have written into the postgresql.conf which is not used.
import type { SettingsContext } from "./context.ts";
import type { ManagedSetting } from "./managed-setting.ts";
import { hbaFileOf, identFileOf } from "./settings-files.ts";

const PLACE_WHY = "the files of a member have their places in the cluster's directory";
const LOG_WHY = "understudy logs reads the server's log, which a week bounds";
const DEFAULT_WHY = "the same value stands on every member";

function place(name: string, value: (context: SettingsContext) => string | null): ManagedSetting {
  return { name, value, user: "refused", why: PLACE_WHY };
}

function log(name: string, value: string): ManagedSetting {
  return { name, value: () => value, user: "refused", why: LOG_WHY };
}

function fallback(name: string, value: string): ManagedSetting {
  return { name, value: () => value, user: "free", why: DEFAULT_WHY };
}

const PLACES: readonly ManagedSetting[] = [
  place("data_directory", (context) => context.dataDir),
  place("config_file", () => null),
  place("hba_file", hbaFileOf),
  place("ident_file", identFileOf),
  place("external_pid_file", () => null),
  {
    name: "cluster_name",
    value: (context) => context.member.name,
    user: "refused",
    why: "it shows which member a process belongs to",
  },
];

const NETWORK: readonly ManagedSetting[] = [
  {
    name: "listen_addresses",
    value: (context) => context.member.host,
    user: "refused",
    why: "the member's address stands in the cluster's record",
  },
  {
    name: "port",
    value: (context) => `${context.member.port}`,
    user: "refused",
    why: "the member's port stands in the cluster's record",
  },
  {
    name: "unix_socket_directories",
    value: () => "",
    user: "refused",
    why: "a socket's path may have only 107 bytes and every member is reached by TCP",
  },
  {
    name: "password_encryption",
    value: () => "scram-sha-256",
    user: "refused",
    why: "pg_hba.conf lets nobody in by another method",
  },
  // A vanished client is noticed within half a minute (lesson 43).
  fallback("tcp_keepalives_idle", "10"),
  fallback("tcp_keepalives_interval", "5"),
  fallback("tcp_keepalives_count", "3"),
  {
    // Elsewhere the server complains of it at each connection.
    name: "tcp_user_timeout",
    from: 12,
    value: (context) => (context.platform === "linux" ? "20s" : null),
    user: "free",
    why: DEFAULT_WHY,
  },
  {
    name: "max_connections",
    value: () => "100",
    user: "free",
    why: DEFAULT_WHY,
  },
];

const LIBRARIES: readonly ManagedSetting[] = [
  {
    name: "shared_preload_libraries",
    value: (context) => context.preload.join(","),
    user: "refused",
    why: "the libraries are checked on every member first: name them with --preload",
  },
  {
    name: "timescaledb.telemetry_level",
    value: (context) => (context.preload.includes("timescaledb") ? "off" : null),
    user: "free",
    why: "nothing is reported to anyone unless it is asked for",
  },
];

const LOG: readonly ManagedSetting[] = [
  log("logging_collector", "on"),
  log("log_destination", "stderr"),
  {
    name: "log_directory",
    value: (context) => context.logDir,
    user: "refused",
    why: LOG_WHY,
  },
  // Seven names, each begun anew after a week. Rotation by size would append to the file of the
  // day.
  log("log_filename", "postgresql-%a.log"),
  log("log_file_mode", "0600"),
  log("log_rotation_age", "1d"),
  log("log_rotation_size", "0"),
  log("log_truncate_on_rotation", "on"),
  log("log_line_prefix", "%m [%p] %q%u@%d/%a "),
  {
    name: "lc_messages",
    value: () => "C",
    user: "refused",
    why: "Understudy reads the server's messages, which are in English on every member",
  },
  fallback("log_timezone", "UTC"),
  fallback("log_checkpoints", "on"),
  fallback("log_lock_waits", "on"),
];

/**
 * initdb writes these into the postgresql.conf that we do not use; the server's own defaults are
 * older.
 */
const INITDB: readonly ManagedSetting[] = [
  fallback("shared_buffers", "128MB"),
  fallback("TimeZone", "UTC"),
  fallback("DateStyle", "ISO, MDY"),
  fallback("default_text_search_config", "pg_catalog.english"),
];

/**
 * ALTER SYSTEM writes a file in one member's data directory that wins over ours and travels with
 * each clone; 17 can refuse it.
 */
const ALTER_SYSTEM: ManagedSetting = {
  name: "allow_alter_system",
  from: 17,
  value: () => "off",
  user: "refused",
  why: "what ALTER SYSTEM sets would hold on one member only: use understudy param set",
};

export const SERVER_SETTINGS: readonly ManagedSetting[] = [
  ...PLACES,
  ...NETWORK,
  ...LIBRARIES,
  ...LOG,
  ...INITDB,
  ALTER_SYSTEM,
];
