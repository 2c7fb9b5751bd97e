// A drill's result that never was, for the tests of what is printed and drawn.
import type { DrillResult } from "../../src/local/drill/drill.ts";
import { reportOf, type DrillRound, type DrillSeries } from "../../src/local/drill/report.ts";

/** Each gap is one round's, in milliseconds. */
export function sampleDrill(
  of: {
    gaps?: readonly number[];
    members?: readonly string[];
    lost?: number | null;
    message?: string;
  } = {},
): DrillResult {
  const { gaps = [221], members = ["t-1", "t-2", "t-3"], lost = 0, message = "t-2 leads." } = of;
  const [from = "t-1", to = "t-2"] = members;
  const made = gaps.map((gapMs, at) =>
    sampleRound({ gapMs, round: at + 1, from, to, lost, message }),
  );
  return {
    report: reportOf({
      cluster: "t",
      fault: "crash",
      postgresVersion: "15.20",
      members,
      sync: "off",
      rounds: made,
      left: [],
    }),
    series: gaps.map((gapMs) => sampleSeries({ gapMs, members, from, to })),
  };
}

function sampleRound(of: {
  gapMs: number;
  round: number;
  from: string;
  to: string;
  lost: number | null;
  message: string;
}): DrillRound {
  const { gapMs, round, from, to, lost, message } = of;
  return {
    round,
    at: "2026-11-22T12:00:00.000Z",
    from,
    to,
    term: { before: round, after: round + 1 },
    timeline: { before: round + 1, after: round + 2 },
    writes: { acknowledged: 330, gap: { fromMs: -4, toMs: gapMs - 4, ms: gapMs }, failed: 1 },
    reads: { answered: 700, gap: { fromMs: 10, toMs: 34, ms: 24 } },
    lost,
    doubled: 0,
    doubledAndLost: lost === null ? null : 0,
    repeated: 0,
    rejoin: { ms: gapMs + 400, after: "the crash", how: "streamed on" },
    diverged: null,
    cameBack: true,
    events: [
      { atMs: 0, member: null, event: "fault", message: `every process of ${from} is killed` },
      { atMs: gapMs * 0.3, member: from, event: "stepped-down", message: "its lease is free." },
      { atMs: gapMs * 0.7, member: to, event: "elected", message },
      { atMs: gapMs * 0.97, member: to, event: "promoted", message: `${to} is the primary.` },
      { atMs: gapMs + 400, member: null, event: "streams-again", message: `${from} streams again` },
    ],
  };
}

function sampleSeries(of: {
  gapMs: number;
  members: readonly string[];
  from: string;
  to: string;
}): DrillSeries {
  const { gapMs, members, from, to } = of;
  const toMs = gapMs + 900;
  return {
    writes: [
      ...every({ fromMs: -600, untilMs: -3 }).map((atMs) => ({ member: from, atMs, writer: 100 })),
      ...every({ fromMs: gapMs - 4, untilMs: toMs }).map((atMs) => ({
        member: to,
        atMs,
        writer: 100,
      })),
    ],
    readsMs: [
      every({ fromMs: -600, untilMs: toMs }),
      every({ fromMs: -590, untilMs: 10 }).concat(every({ fromMs: 34, untilMs: toMs })),
    ],
    members: [
      ...members.map((member) => ({
        atMs: -600,
        member,
        look: member === from ? ("primary" as const) : ("streaming" as const),
      })),
      { atMs: 0, member: from, look: "away" },
      { atMs: gapMs, member: to, look: "primary" },
      { atMs: gapMs + 100, member: from, look: "busy" },
      { atMs: gapMs + 400, member: from, look: "streaming" },
    ],
    records: [{ atMs: -600, term: 1, leader: from, timeline: 2 }],
    fromMs: -600,
    toMs,
  };
}

/** As the drill's writer: five milliseconds, and the answer's own time. */
function every({ fromMs, untilMs }: { fromMs: number; untilMs: number }): number[] {
  const count = Math.max(0, Math.ceil((untilMs - fromMs) / 6.3));
  return Array.from({ length: count }, (_, at) => fromMs + at * 6.3);
}
