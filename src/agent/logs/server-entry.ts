// A line of PostgreSQL's log as an entry like those of the agent's own, so that a container writes
// one kind of log. Pure. It reads what the managed log_line_prefix writes, "%m [%p] %q%u@%d/%a ".

export interface ServerEntry {
  /** RFC 3339 where the server's log_timezone is UTC, else as the server wrote it. */
  readonly at: string;
  readonly member: string;
  readonly event: "postgresql";
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  readonly details: Readonly<Record<string, string | number>>;
}

const LINE =
  /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3}) (\S+) \[(\d+)\] (?:(\S+)@(\S+?)\/(.*?) )?([A-Z]+\d?): {2}(.*)$/s;

/** Of the manual's table 20.2; all others are for information. */
const LEVELS: Readonly<Record<string, ServerEntry["level"]>> = {
  WARNING: "warning",
  ERROR: "error",
  FATAL: "error",
  PANIC: "error",
};

/** Null for a line that goes on from the one before it, as the second one of a statement. */
export function serverEntry(text: string, member: string): ServerEntry | null {
  const found = LINE.exec(text);
  if (found === null) return null;
  const [, day, time, zone, pid, user, database, application, severity = "", message = ""] = found;
  const session = user === undefined ? {} : { user, database, application };
  return {
    at: zone === "UTC" ? `${day}T${time}Z` : `${day} ${time} ${zone}`,
    member,
    event: "postgresql",
    level: LEVELS[severity] ?? "info",
    message,
    details: { severity, pid: Number(pid), ...(session as Record<string, string>) },
  };
}

/**
 * With the lines that go on put behind those that they belong to.
 *
 * @param of now: RFC 3339, for lines at the beginning whose first line was told before.
 */
export function serverEntries(
  lines: readonly string[],
  of: { member: string; now: string },
): ServerEntry[] {
  const { member, now } = of;
  const entries: ServerEntry[] = [];
  for (const line of lines) {
    const entry = serverEntry(line, member);
    const last = entries.pop();
    if (last !== undefined && entry !== null) entries.push(last, entry);
    else if (last !== undefined)
      entries.push({ ...last, message: `${last.message}\n${line.trim()}` });
    else entries.push(entry ?? goesOn(line, { member, now }));
  }
  return entries;
}

function goesOn(line: string, { member, now }: { member: string; now: string }): ServerEntry {
  const message = line.trim();
  return { at: now, member, event: "postgresql", level: "info", message, details: {} };
}
