// What one round has come to: from what the clients were promised, what the primary has, and what
// the members wrote down.
import type { Entry } from "../../agent/journal.ts";
import type { ClusterStatus } from "../../core/cluster-status.ts";
import type { ClusterRecord } from "../../core/record.ts";
import type { LocalCluster } from "../cluster.ts";
import { readEvents } from "../journals.ts";
import { connectTo } from "./app-client.ts";
import type { ClusterWatch } from "./cluster-watch.ts";
import type { Fault, Target } from "./fault.ts";
import { hostsOf, type Load } from "./load.ts";
import type { DrillEvent, DrillRound, DrillSeries } from "./report.ts";
import { acceptedTwice, longestGap, missingRows, type Gap } from "./statistics.ts";
import { presentRows } from "./table.ts";

/** Moments on the drill's clock. */
export interface Course {
  readonly faultMs: number;
  /** The same on the wall clock, by which members write their events. */
  readonly faultWallMs: number;
  /** Null where there was nothing to be undone. */
  readonly undoneMs: number | null;
  /** When the old primary streamed again; null when it did not, or leads itself. */
  readonly rejoinedMs: number | null;
  readonly cameBack: boolean;
}

interface Told {
  readonly cluster: LocalCluster;
  readonly target: Target;
  readonly watch: ClusterWatch;
  readonly load: Load;
  readonly fault: Fault;
  readonly round: number;
  readonly course: Course;
  readonly endMs: number;
  readonly before: ClusterRecord;
}

const COUNT_LIMIT_MS = 10_000;
/** Both clocks are read one after the other, and events are written with milliseconds. */
const WALL_TOLERANCE_MS = 5;

export async function tellRound(of: Told): Promise<{ round: DrillRound; series: DrillSeries }> {
  const { target, watch, load, course, before } = of;
  const { acknowledged } = load.ledger;
  const status = await watch.status();
  const present = await countRows(of, status);
  const missing = present === null ? null : missingRows(acknowledged, present.ranges);
  const doubled = acceptedTwice(acknowledged);
  const entries = await entriesSince(of);
  const round: DrillRound = {
    round: of.round,
    at: new Date(course.faultWallMs).toISOString(),
    from: target.member,
    to: status.primary,
    term: { before: before.term, after: status.term },
    timeline: { before: before.leader?.timeline ?? null, after: status.timeline },
    ...gapsOf(of),
    lost: missing?.length ?? null,
    doubled: doubled.length,
    doubledAndLost: missing === null ? null : countBoth(doubled, missing),
    repeated: present?.repeated ?? 0,
    rejoin: rejoinOf(of, entries),
    diverged: divergedOf(target.member, entries),
    cameBack: course.cameBack,
    events: eventsOf(of, entries),
  };
  return { round, series: seriesOf(of) };
}

function gapsOf(of: Told): Pick<DrillRound, "writes" | "reads"> {
  const { load, endMs } = of;
  const { faultMs } = of.course;
  const { acknowledged, failures } = load.ledger;
  const { writtenMs } = load;
  const gapOf = (moments: readonly number[]): Gap | null => {
    // What stood still before the fault was not its doing.
    const last = moments.findLast((atMs) => atMs <= faultMs) ?? faultMs;
    const gap = longestGap(
      moments.filter((atMs) => atMs >= last),
      endMs,
    );
    if (gap === null) return null;
    return { ms: gap.ms, fromMs: gap.fromMs - faultMs, toMs: gap.toMs - faultMs };
  };
  const readGaps = load.readers.map(({ answeredMs }) => gapOf(answeredMs));
  return {
    writes: { acknowledged: acknowledged.length, gap: gapOf(writtenMs), failed: failures },
    reads: {
      answered: load.readers.reduce((sum, { answeredMs }) => sum + answeredMs.length, 0),
      gap: readGaps.toSorted((one, other) => (other?.ms ?? 0) - (one?.ms ?? 0))[0] ?? null,
    },
  };
}

/** On the primary, which is where an application would look for them. Null where there is none. */
async function countRows(
  { cluster, before }: Told,
  status: ClusterStatus,
): Promise<Awaited<ReturnType<typeof presentRows>> | null> {
  const host = hostsOf(before.members).find(({ member }) => member === status.primary);
  if (host === undefined) return null;
  const login = { password: cluster.secrets.application, limitMs: COUNT_LIMIT_MS };
  try {
    using connection = await connectTo(host, login);
    return await presentRows(connection.client);
  } catch {
    return null; // It has gone in this very moment: what cannot be counted is not called kept.
  }
}

function countBoth<Row>(some: readonly Row[], others: readonly Row[]): number {
  const set = new Set(others);
  return some.filter((row) => set.has(row)).length;
}

async function entriesSince({ cluster, course }: Told): Promise<Entry[]> {
  const sinceMs = course.faultWallMs - WALL_TOLERANCE_MS;
  return (await readEvents(cluster)).filter(({ at }) => Date.parse(at) >= sinceMs);
}

function rejoinOf(
  { course, fault, target }: Told,
  entries: readonly Entry[],
): DrillRound["rejoin"] {
  const { rejoinedMs, faultMs, undoneMs } = course;
  const sinceMs = fault.comesBackAfter === "undoing" ? undoneMs : faultMs;
  if (rejoinedMs === null || sinceMs === null) return null;
  const happened = (event: string) =>
    entries.some((entry) => entry.member === target.member && entry.event === event);
  const how = happened("cloned") ? "copied anew" : happened("rewound") ? "rewound" : "streamed on";
  return { ms: rejoinedMs - sinceMs, after: fault.noun, how };
}

/** Its own agent says what it found, before it gives any of it up. */
function divergedOf(member: string, entries: readonly Entry[]): DrillRound["diverged"] {
  const found = entries.find(
    (entry) =>
      entry.member === member &&
      (entry.event === "diverged-wal-kept" || entry.event === "data-set-aside"),
  );
  if (found === undefined) return null;
  const { bytes, kept } = found.details ?? {};
  return {
    bytes: typeof bytes === "number" ? bytes : null,
    kept: typeof kept === "string" ? kept : null,
  };
}

function eventsOf(of: Told, entries: readonly Entry[]): DrillEvent[] {
  const { course, fault, target } = of;
  const { faultMs, faultWallMs, undoneMs, rejoinedMs } = course;
  const own = (event: string, at: { ms: number | null; message: string }): DrillEvent[] =>
    at.ms === null ? [] : [{ atMs: at.ms - faultMs, member: null, event, message: at.message }];
  return [
    ...own("fault", { ms: faultMs, message: fault.describe(target.member) }),
    ...own("undone", { ms: undoneMs, message: fault.describeUndo?.(target.member) ?? "" }),
    ...own("streams-again", { ms: rejoinedMs, message: `${target.member} streams again` }),
    ...entries.map(({ at, member, event, message }) => {
      return { atMs: Date.parse(at) - faultWallMs, member, event, message };
    }),
  ].toSorted((one, other) => one.atMs - other.atMs);
}

function seriesOf({ watch, load, course, endMs }: Told): DrillSeries {
  const { faultMs } = course;
  const since = <T extends { readonly atMs: number }>(each: T): T => {
    return { ...each, atMs: each.atMs - faultMs };
  };
  const { acknowledged } = load.ledger;
  return {
    writes: acknowledged.map(({ member, atMs, writer }) => since({ member, atMs, writer })),
    readsMs: load.readers.map(({ answeredMs }) => answeredMs.map((atMs) => atMs - faultMs)),
    members: watch.members.map((each) => since(each)),
    records: watch.records.map((each) => since(each)),
    fromMs: (acknowledged[0]?.atMs ?? faultMs) - faultMs,
    toMs: endMs - faultMs,
  };
}
