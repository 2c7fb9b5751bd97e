// `understudy drill`: what a rehearsal came to, so that one look is enough: what stood still, for
// how long, and whether anything was lost. Pure.
import type { DrillReport, DrillRound } from "../../local/drill/report.ts";
import type { Spread } from "../../local/drill/statistics.ts";
import { dot, mark, paint, type Look } from "../output/look.ts";
import { renderTable, type Column } from "../output/table.ts";
import { harmless, wrap } from "../output/text.ts";
import { counted, formatBytes } from "../output/units.ts";

export interface DrillView {
  readonly look: Look;
  /** The file that the picture was drawn into. */
  readonly picture: string | null;
}

/** What happened within one round is told in full; more would be a log. */
const MOST_EVENTS = 16;

export function renderDrill(report: DrillReport, view: DrillView): string {
  const { look } = view;
  const [first] = report.rounds;
  const sections = [
    headline(report, look),
    renderTable({ columns: RESULT_COLUMNS, rows: resultsOf(report), indent: "  " }, look),
    first === undefined || report.rounds.length > 1
      ? roundsTable(report, look)
      : eventLines(first, look),
    foot(report, view),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

function headline(report: DrillReport, look: Look): string {
  const tone = report.passed ? "good" : "bad";
  const symbol = paint(look, tone, mark(look, report.passed ? "check" : "cross"));
  const sentence = paint(look, "strong", sentenceOf(report));
  const facts = [
    report.postgresVersion === null ? null : `PostgreSQL ${report.postgresVersion}`,
    counted(report.members.length, "member"),
    `synchronous replication ${report.sync}`,
    ...(report.rounds.length > 1 ? [counted(report.rounds.length, "round")] : []),
  ].filter((fact) => fact !== null);
  return `${symbol} ${wrap(sentence, { width: look.width, indent: "  " })}\n  ${paint(look, "dim", facts.join(` ${dot(look)} `))}`;
}

function sentenceOf(report: DrillReport): string {
  const { cluster, fault, rounds, summary } = report;
  const [first] = rounds;
  const whom = first === undefined || rounds.length > 1 ? "" : ` of ${first.from}`;
  const what = `${fault}${whom}`;
  if (!rounds.every(({ cameBack }) => cameBack))
    return `${cluster} did not come back after ${what}`;
  const troubles = [
    ...(summary.lost === null ? ["what is lost could not be counted"] : []),
    ...(summary.lost ? [`${counted(summary.lost, "acknowledged write")} lost`] : []),
    ...(summary.doubled > 0
      ? [`${counted(summary.doubled, "write")} accepted by two primaries`]
      : []),
    ...(summary.repeated > 0 ? [`${counted(summary.repeated, "row")} there twice`] : []),
  ];
  const pause = formatMs(summary.writeGapMs?.median ?? null);
  const outcome = troubles.length === 0 ? "nothing was lost" : troubles.join(", ");
  return `${what}: writes stood still for ${pause}, ${outcome}`;
}

interface Result {
  readonly what: string;
  readonly value: string;
  readonly isBad?: boolean;
}

const RESULT_COLUMNS: readonly Column<Result>[] = [
  { header: "MEASURED", text: ({ what }) => what },
  {
    header: "RESULT",
    text: ({ value }) => value,
    tone: ({ isBad }) => (isBad === true ? "bad" : "strong"),
  },
];

function resultsOf(report: DrillReport): Result[] {
  const { summary, rounds } = report;
  const { lost, doubled, repeated } = summary;
  const [first] = rounds;
  const one = rounds.length === 1 ? first : undefined;
  return [
    { what: "writes stood still, at most", value: spread(summary.writeGapMs) },
    { what: "reads stood still, at most", value: spread(summary.readGapMs) },
    {
      what: "acknowledged writes lost",
      value: `${lost ?? "unknown"} of ${summary.acknowledged}`,
      isBad: lost !== 0,
    },
    { what: "writes accepted by two primaries", value: `${doubled}`, isBad: doubled > 0 },
    ...(repeated > 0
      ? [{ what: "rows that are there twice", value: `${repeated}`, isBad: true }]
      : []),
    ...(summary.rejoinMs === null
      ? []
      : [{ what: "the old primary streams again", value: rejoinText(report) }]),
    ...(one === undefined ? [] : changeOf(one)),
  ];
}

function rejoinText({ summary, rounds }: DrillReport): string {
  const ways = [...new Set(rounds.flatMap(({ rejoin }) => rejoin?.how ?? []))];
  const after = rounds.find(({ rejoin }) => rejoin !== null)?.rejoin?.after ?? "the fault";
  return `${spread(summary.rejoinMs)} after ${after} (${ways.join(", ")})`;
}

function changeOf(round: DrillRound): Result[] {
  const { from, to, term, timeline, diverged } = round;
  return [
    {
      what: "primary",
      value: from === to ? `${from}, as before` : `${from} to ${to ?? "nobody"}`,
      isBad: to === null,
    },
    { what: "term, timeline", value: `${change(term)}, ${change(timeline)}` },
    ...(diverged === null
      ? []
      : [
          {
            what: "WAL that only the old primary had",
            value: `${diverged.bytes === null ? "some" : formatBytes(diverged.bytes)}, kept in ${diverged.kept ?? "kept"}`,
          },
        ]),
  ];
}

function change(of: { before: number | null; after: number | null }): string {
  const after = `${of.after ?? "unknown"}`;
  return of.before === of.after ? after : `${of.before ?? "unknown"} to ${after}`;
}

const ROUND_COLUMNS: readonly Column<DrillRound>[] = [
  { header: "ROUND", text: ({ round }) => `${round}`, align: "right" },
  { header: "FROM", text: ({ from }) => from },
  { header: "TO", text: ({ to }) => to ?? "nobody" },
  { header: "WRITES", text: ({ writes }) => formatMs(writes.gap?.ms ?? null), align: "right" },
  { header: "READS", text: ({ reads }) => formatMs(reads.gap?.ms ?? null), align: "right" },
  {
    header: "REJOINED",
    text: ({ rejoin }) => formatMs(rejoin?.ms ?? null),
    align: "right",
    drop: 2,
  },
  { header: "HOW", text: ({ rejoin }) => rejoin?.how ?? "-", drop: 3 },
  {
    header: "LOST",
    text: ({ lost }) => `${lost ?? "unknown"}`,
    tone: ({ lost }) => (lost === 0 ? "plain" : "bad"),
    align: "right",
  },
  {
    header: "DOUBLED",
    text: ({ doubled }) => `${doubled}`,
    tone: ({ doubled }) => (doubled === 0 ? "plain" : "bad"),
    align: "right",
  },
];

function roundsTable({ rounds }: DrillReport, look: Look): string {
  return renderTable({ columns: ROUND_COLUMNS, rows: rounds, indent: "  " }, look);
}

function eventLines({ events }: DrillRound, look: Look): string {
  const shown = events.slice(0, MOST_EVENTS);
  const times = shown.map(({ atMs }) => formatMs(Math.max(0, atMs)));
  const widest = Math.max(0, ...times.map((time) => time.length));
  const lines = shown.map(({ member, message }, at) => {
    const time = (times[at] ?? "").padStart(widest);
    const text = `  ${time}  ${harmless(message)}`;
    const tone = member === null ? "strong" : "plain";
    return paint(look, tone, wrap(text, { width: look.width, indent: " ".repeat(widest + 4) }));
  });
  const more = events.length - shown.length;
  return [...lines, ...(more > 0 ? [`  ${more} more: understudy events`] : [])].join("\n");
}

function foot(report: DrillReport, { look, picture }: DrillView): string {
  const left = report.left.map((text) => `  ${paint(look, "warn", "!")} ${text}`);
  const tidy = "nothing is left of the drill: its table was dropped";
  return [
    ...(left.length > 0 ? left : [`  ${paint(look, "dim", tidy)}`]),
    ...(picture === null ? [] : [`  ${paint(look, "dim", "picture")} ${picture}`]),
  ].join("\n");
}

function spread(of: Spread | null): string {
  if (of === null) return "unknown";
  if (of.min === of.max) return formatMs(of.median);
  return `${formatMs(of.median)} (${formatMs(of.min)} to ${formatMs(of.max)})`;
}

/** "221 ms" up to ten seconds' time, then "12.3 s". */
function formatMs(ms: number | null): string {
  if (ms === null) return "-";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}
