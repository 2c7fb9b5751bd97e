// The picture of a drill, as SVG: above, the writes around the fault, each a line, and the time in
// which there are none; below, the whole of it, with what each member was; then the moments in
// words. Pure: data in, text out.
import type { DrillReport, DrillRound, DrillSeries } from "../report.ts";
import { badge } from "./badge.ts";
import { drawLanes, lanesHeight } from "./lanes.ts";
import { momentsOf, type Moment } from "./moments.ts";
import { drawRounds, ROUNDS_HEIGHT } from "./rounds.ts";
import { formatMs, type Scale } from "./scale.ts";
import { element, fitted, text, widthOf } from "./shapes.ts";
import { THEME } from "./theme.ts";
import { drawWrites, WRITES_HEIGHT } from "./writes.ts";

export const WIDTH = 960;
const MARGIN = 32;
const LABELS = 84;
const HEADER = 92;
const GUTTER = 34;
const LINE = 20;
const FOOT = 44;
/** Around the gap, so that one sees what it is a gap in. */
const AROUND = { least: 120, share: 0.75 };

/** @param of.series one for each round of the report */
export function drawDrill(of: { report: DrillReport; series: readonly DrillSeries[] }): string {
  const { report } = of;
  const at = typicalRound(report);
  const [round, series] = [report.rounds[at], of.series[at]];
  if (round === undefined || series === undefined)
    return page(report, { height: HEADER, parts: [] });
  const zoom = zoomOf(round, series);
  const whole = {
    fromMs: series.fromMs,
    toMs: series.toMs,
    leftPx: MARGIN + LABELS,
    rightPx: WIDTH - MARGIN,
  };
  const moments = momentsOf(round.events);
  const { members } = report;
  let top = HEADER;
  const writes = drawWrites({
    round,
    rounds: report.rounds.length,
    series,
    members,
    moments,
    scale: zoom,
    topPx: top,
  });
  top += WRITES_HEIGHT + GUTTER;
  const lanes = drawLanes({
    series,
    members,
    zoom,
    scale: whole,
    topPx: top,
    labelsPx: MARGIN,
    moments,
  });
  top += lanesHeight(members.length) + GUTTER;
  const rounds =
    report.rounds.length < 2
      ? []
      : [drawRounds({ report, leftPx: MARGIN, rightPx: WIDTH - MARGIN, topPx: top })];
  top += rounds.length === 0 ? 0 : ROUNDS_HEIGHT + GUTTER / 2;
  const words = moments.map((moment, line) => momentLine(moment, top + line * LINE));
  top += words.length * LINE + FOOT;
  return page(report, { height: top, parts: [writes, lanes, ...rounds, ...words] });
}

/** The one whose pause is in the middle of all. */
function typicalRound({ rounds, summary }: DrillReport): number {
  const middle = summary.writeGapMs?.median ?? 0;
  const distances = rounds.map(({ writes }) => Math.abs((writes.gap?.ms ?? Infinity) - middle));
  return Math.max(0, distances.indexOf(Math.min(...distances)));
}

function zoomOf(round: DrillRound, series: DrillSeries): Scale {
  const gap = round.writes.gap ?? { fromMs: 0, toMs: 0, ms: 0 };
  const around = Math.max(AROUND.least, gap.ms * AROUND.share);
  const fromMs = Math.max(series.fromMs, Math.min(0, gap.fromMs) - around);
  const toMs = Math.min(series.toMs, gap.toMs + around);
  return { fromMs, toMs: Math.max(toMs, fromMs + 1), leftPx: MARGIN, rightPx: WIDTH - MARGIN };
}

function momentLine({ number, atMs, message }: Moment, yPx: number): string {
  return [
    badge({ number, xPx: MARGIN + 8, yPx: yPx - 4 }),
    text(formatMs(Math.max(0, atMs)), {
      x: MARGIN + 82,
      y: yPx,
      "text-anchor": "end",
      class: "soft",
    }),
    text(fitted(message, { widthPx: WIDTH - 2 * MARGIN - 100, sizePx: 12 }), {
      x: MARGIN + 96,
      y: yPx,
    }),
  ].join("");
}

function page(report: DrillReport, of: { height: number; parts: readonly string[] }): string {
  const { height, parts } = of;
  const title = titleOf(report);
  const [first] = report.rounds;
  const version = report.postgresVersion === null ? "" : ` · PostgreSQL ${report.postgresVersion}`;
  const count = report.rounds.length > 1 ? ` · ${report.rounds.length} rounds` : "";
  const foot = `understudy drill ${report.fault} · ${report.cluster}${version} · synchronous replication ${report.sync}${count} · ${first?.at ?? ""}`;
  const svg = element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      class: "drill",
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      role: "img",
      "aria-label": `${title}. ${subtitleOf(report)}`,
    },
    [
      element("style", {}, [THEME]),
      element("rect", { width: WIDTH, height, rx: 10, fill: "var(--paper)" }),
      text(title, { x: MARGIN, y: 44, class: "title" }),
      text(subtitleOf(report), { x: MARGIN, y: 68, class: "soft" }),
      verdict(report),
      ...parts,
      text(foot, { x: MARGIN, y: height - 18, class: "soft", style: "font-size: 11px" }),
    ],
  );
  return `${svg}\n`;
}

function titleOf({ fault, rounds, summary }: DrillReport): string {
  const [first] = rounds;
  const whom = first === undefined || rounds.length > 1 ? "" : ` of ${first.from}`;
  const gap = summary.writeGapMs;
  const still = gap === null ? "" : `: writes stood still for ${formatMs(gap.median)}`;
  const what = `${fault.slice(0, 1).toUpperCase()}${fault.slice(1)}`;
  const median = rounds.length > 1 ? `, median of ${rounds.length} rounds` : "";
  return `${what}${whom}${still}${median}`;
}

function subtitleOf({ summary }: DrillReport): string {
  const { lost, acknowledged, doubled, readGapMs, rejoinMs } = summary;
  return [
    `${lost ?? "unknown"} of ${acknowledged} acknowledged writes lost`,
    `${doubled} accepted by two primaries`,
    ...(readGapMs === null ? [] : [`reads stood still for ${formatMs(readGapMs.median)}`]),
    ...(rejoinMs === null
      ? []
      : [`the old primary streams again after ${formatMs(rejoinMs.median)}`]),
  ].join(" · ");
}

/** A word and a symbol beside the colour, which never says anything alone. */
function verdict({ passed }: DrillReport): string {
  const words = passed ? "✓ passed" : "✕ failed";
  const width = widthOf(words, 12) + 26;
  const left = WIDTH - MARGIN - width;
  const colour = passed ? "var(--good)" : "var(--bad)";
  return [
    element("rect", { x: left, y: 27, width, height: 24, rx: 12, fill: colour }),
    text(words, {
      x: left + width / 2,
      y: 43,
      "text-anchor": "middle",
      class: "on",
      style: "font-size: 12px",
    }),
  ].join("");
}
