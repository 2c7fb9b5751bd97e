// All rounds of a drill on one line: a dot for each pause of the writes, and their middle. Pure.
import type { DrillReport } from "../report.ts";
import { formatMs, formatTick, ticksOf, xOf, type Scale } from "./scale.ts";
import { element, text } from "./shapes.ts";

export const ROUNDS_HEIGHT = 96;
const MOST_TICKS = 8;
const LINE = 56;

export function drawRounds(of: {
  report: DrillReport;
  leftPx: number;
  rightPx: number;
  topPx: number;
}): string {
  const { report, leftPx, rightPx, topPx } = of;
  const { writeGapMs } = report.summary;
  if (writeGapMs === null) return "";
  const scale: Scale = { fromMs: 0, toMs: Math.max(1, writeGapMs.max * 1.06), leftPx, rightPx };
  const y = topPx + LINE;
  const middle = xOf(scale, writeGapMs.median);
  const anchor = middle > rightPx - 120 ? "end" : "start";
  return element("g", {}, [
    text("HOW LONG WRITES STOOD STILL, EACH ROUND", { x: leftPx, y: topPx + 8, class: "label" }),
    element("line", { x1: leftPx, x2: rightPx, y1: y, y2: y, stroke: "var(--line)" }),
    element("line", {
      x1: middle,
      x2: middle,
      y1: y - 26,
      y2: y + 8,
      stroke: "var(--bad)",
      "stroke-width": 1.5,
    }),
    text(`median ${formatMs(writeGapMs.median)}`, {
      x: middle + (anchor === "start" ? 6 : -6),
      y: y - 18,
      "text-anchor": anchor,
      class: "name",
    }),
    ...report.rounds.flatMap(({ writes }) =>
      writes.gap === null
        ? []
        : [
            element("circle", {
              cx: xOf(scale, writes.gap.ms),
              cy: y,
              r: 5,
              fill: "var(--bad)",
              "fill-opacity": 0.45,
              stroke: "var(--bad)",
            }),
          ],
    ),
    ...ticksOf(scale, MOST_TICKS).map((ms) =>
      text(formatTick(ms), {
        x: xOf(scale, ms),
        y: y + 26,
        "text-anchor": "middle",
        class: "soft",
      }),
    ),
  ]);
}
