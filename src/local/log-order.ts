// The lines of several logs in the order of their time. Pure.

export interface LogLine {
  readonly member: string;
  readonly text: string;
}

/**
 * @param logs each in the order in which it was written. A line that does not begin with a time, as
 * the second one of a statement, stays behind the one before it.
 * @param timeZone PostgreSQL's `log_timezone`.
 */
export function inOrderOfTime(
  logs: readonly (readonly LogLine[])[],
  timeZone: string,
): readonly LogLine[] {
  const timed = logs.flatMap((lines) => {
    let lastMs = -Infinity;
    return lines.map((line) => {
      // A clock that was set back must not tear one log apart.
      lastMs = Math.max(lastMs, timeOf(line.text, timeZone) ?? lastMs);
      return { line, atMs: lastMs };
    });
  });
  return timed.toSorted((one, other) => compare(one.atMs, other.atMs)).map(({ line }) => line);
}

/** Not by subtraction: two lines without any time are at minus infinity both. */
function compare(one: number, other: number): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** An agent's JSON line, or one of PostgreSQL's, which begins with "%m". */
function timeOf(text: string, timeZone: string): number | null {
  const own = /^\{"at":"([^"]+)"/.exec(text);
  if (own !== null) return valid(Date.parse(own[1] ?? ""));
  const [, day, time, zone = ""] =
    /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3}) ([A-Za-z]+|[+-]\d\d(?::?\d\d)?) /.exec(text) ?? [];
  if (day === undefined || time === undefined) return null;
  const asUtc = Date.parse(`${day}T${time}Z`);
  return valid(asUtc - offsetMs(asUtc, { zone, timeZone }));
}

function offsetMs(wallMs: number, of: { zone: string; timeZone: string }): number {
  if (of.zone === "UTC" || of.zone === "GMT") return 0;
  const [, sign, hours, minutes = "0"] = /^([+-])(\d\d):?(\d\d)?$/.exec(of.zone) ?? [];
  if (hours !== undefined)
    return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  return namedOffsetMs(wallMs, of.timeZone);
}

/** Abbreviations such as "CST" have several meanings; the zone that is set has one. */
function namedOffsetMs(wallMs: number, timeZone: string): number {
  try {
    const format = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" });
    const name = format.formatToParts(wallMs).find(({ type }) => type === "timeZoneName")?.value;
    const [, sign, hours, minutes] = /^GMT([+-])(\d\d):(\d\d)/.exec(name ?? "") ?? [];
    return (sign === "-" ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000;
  } catch {
    return 0; // PostgreSQL knows zones that are unknown here
  }
}

function valid(ms: number): number | null {
  return Number.isNaN(ms) ? null : ms;
}
