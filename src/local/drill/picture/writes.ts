// The upper part of the picture: each acknowledged write around the fault as one line, in the
// colour of the member that acknowledged it, and the pause between them. Pure.
import type { DrillRound, DrillSeries } from "../report.ts";
import { badge } from "./badge.ts";
import { placeMoments, type Moment } from "./moments.ts";
import { clampedX, formatMs, formatTick, ticksOf, xOf, type Scale } from "./scale.ts";
import { element, text, widthOf } from "./shapes.ts";
import { colourOf } from "./theme.ts";

const PLOT = { top: 62, height: 74 };
const AXIS = 22;
export const WRITES_HEIGHT = PLOT.top + PLOT.height + AXIS;
const MOST_TICKS = 9;

interface Writes {
  readonly round: DrillRound;
  /** How many there were. */
  readonly rounds: number;
  readonly series: DrillSeries;
  readonly members: readonly string[];
  readonly moments: readonly Moment[];
  readonly scale: Scale;
  readonly topPx: number;
}

export function drawWrites(of: Writes): string {
  const { scale, topPx } = of;
  const bottom = topPx + PLOT.top + PLOT.height;
  const { leftPx, rightPx } = scale;
  return element("g", {}, [
    text(heading(of), { x: leftPx, y: topPx + 8, class: "label" }),
    legend(of),
    element("rect", {
      x: leftPx,
      y: topPx + PLOT.top - 14,
      width: rightPx - leftPx,
      height: PLOT.height + 14,
      rx: 6,
      fill: "var(--panel)",
    }),
    ...lines(of),
    pause(of),
    ...flags(of),
    element("line", { x1: leftPx, x2: rightPx, y1: bottom, y2: bottom, stroke: "var(--line)" }),
    ...axis(scale, bottom),
  ]);
}

function heading({ round, rounds }: Writes): string {
  return `EACH ACKNOWLEDGED WRITE${rounds > 1 ? `, ROUND ${round.round}` : ""}`;
}

function legend({ series, members, scale, topPx }: Writes): string {
  const seen = members.filter((name) => series.writes.some(({ member }) => member === name));
  let right = scale.rightPx;
  const entries = seen.toReversed().map((name) => {
    const words = `acknowledged by ${name}`;
    right -= widthOf(words, 12);
    const entry = [
      text(words, { x: right, y: topPx + 8, class: "soft" }),
      element("rect", {
        x: right - 14,
        y: topPx - 1,
        width: 9,
        height: 9,
        rx: 2,
        fill: colourOf(members, name),
      }),
    ].join("");
    right -= 30;
    return entry;
  });
  return entries.join("");
}

/** Those that fall on one pixel are one line. */
function lines({ series, members, scale, topPx }: Writes): string[] {
  const bottom = topPx + PLOT.top + PLOT.height;
  const drawn = new Map<string, string>();
  for (const { atMs, member } of series.writes) {
    if (atMs < scale.fromMs || atMs > scale.toMs) continue;
    const x = Math.round(xOf(scale, atMs) * 2) / 2;
    drawn.set(
      `${member} ${x}`,
      element("line", {
        x1: x,
        x2: x,
        y1: bottom - 46,
        y2: bottom,
        stroke: colourOf(members, member),
        "stroke-width": 1.4,
      }),
    );
  }
  return [...drawn.values()];
}

function pause({ round, scale, topPx }: Writes): string {
  const { gap } = round.writes;
  if (gap === null) return "";
  const [left, right] = [clampedX(scale, gap.fromMs), clampedX(scale, gap.toMs)];
  const [top, bottom] = [topPx + PLOT.top - 14, topPx + PLOT.top + PLOT.height];
  const middle = (left + right) / 2;
  const words = formatMs(gap.ms);
  const isNarrow = right - left < widthOf(words, 26) + 24;
  const y = bottom - 32;
  const edge = { stroke: "var(--bad)", "stroke-width": 1.2 };
  return [
    element("rect", {
      x: left,
      y: top,
      width: right - left,
      height: bottom - top,
      fill: "var(--bad)",
      "fill-opacity": 0.1,
    }),
    element("line", { x1: left, x2: left, y1: top, y2: bottom, ...edge }),
    element("line", { x1: right, x2: right, y1: top, y2: bottom, ...edge }),
    ...(isNarrow
      ? []
      : [
          element("line", { x1: left + 4, x2: right - 4, y1: y + 12, y2: y + 12, ...edge }),
          element("path", {
            d: arrowHead({ xPx: left + 3, yPx: y + 12, lengthPx: 6 }),
            fill: "var(--bad)",
          }),
          element("path", {
            d: arrowHead({ xPx: right - 3, yPx: y + 12, lengthPx: -6 }),
            fill: "var(--bad)",
          }),
        ]),
    text(words, {
      x: middle,
      y,
      "text-anchor": "middle",
      class: "gap",
      ...(isNarrow ? { style: "font-size: 14px" } : {}),
    }),
  ].join("");
}

/** Each moment's number, and its line through the writes. */
function flags({ moments, scale, topPx }: Writes): string[] {
  const [top, bottom] = [topPx + PLOT.top - 14, topPx + PLOT.top + PLOT.height];
  return placeMoments(moments, scale).map(({ number, xPx, row }) => {
    // The first row is the nearest to the plot.
    const y = top - 11 - row * 18;
    const stroke = { stroke: "var(--ink)", "stroke-width": 1, "stroke-dasharray": "2 3" };
    return [
      element("line", { x1: xPx, x2: xPx, y1: y, y2: bottom, ...stroke }),
      badge({ number, xPx, yPx: y }),
    ].join("");
  });
}

function axis(scale: Scale, yPx: number): string[] {
  return ticksOf(scale, MOST_TICKS).map((ms) => {
    const x = xOf(scale, ms);
    const line = element("line", { x1: x, x2: x, y1: yPx, y2: yPx + 4, stroke: "var(--line)" });
    const hasRoom = x - scale.leftPx >= 16 && scale.rightPx - x >= 16;
    const words = { x, y: yPx + 18, "text-anchor": "middle", class: "soft" };
    return hasRoom ? line + text(formatTick(ms), words) : line;
  });
}

function arrowHead(at: { xPx: number; yPx: number; lengthPx: number }): string {
  const { xPx, yPx, lengthPx } = at;
  return `M ${xPx} ${yPx} l ${lengthPx} -3.5 v 7 z`;
}
