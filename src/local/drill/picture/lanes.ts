// The lower part of the picture: the whole of the drill on one axis, with a lane for writes, one
// for reads, and one for each member that shows what it was. Pure.
import type { MemberLook } from "../cluster-watch.ts";
import type { DrillSeries } from "../report.ts";
import { badge } from "./badge.ts";
import { isOn, placeMoments, type Moment } from "./moments.ts";
import { runsOf, spansOf, type Span } from "./runs.ts";
import { clampedX, formatTick, ticksOf, xOf, type Scale } from "./scale.ts";
import { element, text, widthOf } from "./shapes.ts";
import { colourOf } from "./theme.ts";

interface Lanes {
  readonly series: DrillSeries;
  readonly members: readonly string[];
  readonly scale: Scale;
  /** What is drawn above in detail. */
  readonly zoom: Scale;
  readonly topPx: number;
  /** Those that are not drawn above have their numbers here. */
  readonly moments: readonly Moment[];
  /** Where the lanes' names begin. */
  readonly labelsPx: number;
}

const LANE = { height: 20, pitch: 27 };
const HEAD = 18;
const AXIS = 22;
const MOST_TICKS = 8;
/** Answers that are no further apart are drawn as one. */
const APART_MS = 40;

const WORDS: Readonly<Record<MemberLook, string>> = {
  primary: "primary",
  streaming: "streams",
  busy: "starting or catching up",
  away: "away",
};

export function lanesHeight(members: number): number {
  return HEAD + (members + 2) * LANE.pitch + AXIS;
}

export function drawLanes(of: Lanes): string {
  const { members, scale, topPx, labelsPx } = of;
  const bottom = topPx + HEAD + (members.length + 2) * LANE.pitch;
  const rows = [
    { name: "writes", drawn: writesLane(of, laneTop(of, 0)) },
    { name: "reads", drawn: readsLane(of, laneTop(of, 1)) },
    ...members.map((name, at) => ({
      name,
      drawn: memberLane(of, { name, yPx: laneTop(of, at + 2) }),
    })),
  ];
  return element("g", {}, [
    text("THE WHOLE DRILL", { x: labelsPx, y: topPx + 8, class: "label" }),
    window_(of, bottom),
    ...rows.map(({ name }, at) =>
      text(name, { x: labelsPx, y: laneTop(of, at) + 14.5, class: at < 2 ? "soft" : "name" }),
    ),
    ...rows.flatMap(({ drawn }) => drawn),
    ...flags(of, bottom),
    element("line", {
      x1: scale.leftPx,
      x2: scale.rightPx,
      y1: bottom,
      y2: bottom,
      stroke: "var(--line)",
    }),
    ...ticksOf(scale, MOST_TICKS).map((ms) => {
      const x = xOf(scale, ms);
      return text(formatTick(ms), { x, y: bottom + 17, "text-anchor": "middle", class: "soft" });
    }),
  ]);
}

function laneTop({ topPx }: Lanes, row: number): number {
  return topPx + HEAD + row * LANE.pitch;
}

/** The part that is drawn above, as a light band behind the lanes. */
function window_({ scale, zoom, topPx }: Lanes, bottom: number): string {
  const [left, right] = [clampedX(scale, zoom.fromMs), clampedX(scale, zoom.toMs)];
  return element("rect", {
    x: left,
    y: topPx + HEAD - 6,
    width: Math.max(1, right - left),
    height: bottom - topPx - HEAD + 6,
    rx: 4,
    fill: "var(--panel)",
    stroke: "var(--line)",
  });
}

function flags({ moments, scale, zoom, topPx }: Lanes, bottom: number): string[] {
  const others = moments.filter(({ atMs }) => !isOn(zoom, atMs));
  return placeMoments(others, scale).map(({ number, xPx, row }) => {
    const y = topPx + 4 - row * 18;
    const stroke = { stroke: "var(--ink)", "stroke-width": 1, "stroke-dasharray": "2 3" };
    return [
      element("line", { x1: xPx, x2: xPx, y1: y, y2: bottom, ...stroke }),
      badge({ number, xPx, yPx: y }),
    ].join("");
  });
}

function writesLane({ series, members, scale }: Lanes, yPx: number): string[] {
  return runsOf(series.writes, APART_MS).map(({ fromMs, toMs, member }) =>
    bar(scale, { fromMs, toMs, yPx: yPx + 5, height: 10, fill: colourOf(members, member) }),
  );
}

/** Reads stand still only where no reader is answered. */
function readsLane({ series, scale }: Lanes, yPx: number): string[] {
  const moments = series.readsMs.flat().map((atMs) => ({ atMs, member: "" }));
  return runsOf(moments, APART_MS).map(({ fromMs, toMs }) =>
    bar(scale, { fromMs, toMs, yPx: yPx + 5, height: 10, fill: "var(--soft)" }),
  );
}

function memberLane(of: Lanes, lane: { name: string; yPx: number }): string[] {
  const { series, members, scale } = of;
  const colour = colourOf(members, lane.name);
  return spansOf(series.members, { member: lane.name, untilMs: series.toMs }).map((span) =>
    memberSpan(span, { scale, colour, yPx: lane.yPx }),
  );
}

function memberSpan(
  { fromMs, toMs, look }: Span,
  of: { scale: Scale; colour: string; yPx: number },
): string {
  const { scale, colour, yPx } = of;
  const [left, right] = [clampedX(scale, fromMs), clampedX(scale, toMs)];
  const width = Math.max(0, right - left);
  const word = WORDS[look];
  const fits = width > widthOf(word, 11) + 14;
  const label = (className: string) =>
    fits
      ? [text(word, { x: left + 8, y: yPx + 14.5, class: className, style: "font-size: 11px" })]
      : [];
  const box = { x: left, y: yPx, width, height: LANE.height, rx: 3 };
  if (look === "primary")
    return [element("rect", { ...box, fill: colour }), ...label("on")].join("");
  if (look === "streaming")
    return [element("rect", { ...box, fill: colour, "fill-opacity": 0.18 }), ...label("soft")].join(
      "",
    );
  const dashes = look === "away" ? "1 4" : "4 3";
  const line = { x1: left, x2: right, y1: yPx + LANE.height / 2, y2: yPx + LANE.height / 2 };
  return element("line", {
    ...line,
    stroke: colour,
    "stroke-width": 2,
    "stroke-dasharray": dashes,
  });
}

function bar(
  scale: Scale,
  of: { fromMs: number; toMs: number; yPx: number; height: number; fill: string },
): string {
  const [left, right] = [clampedX(scale, of.fromMs), clampedX(scale, of.toMs)];
  const width = Math.max(1, right - left);
  return element("rect", { x: left, y: of.yPx, width, height: of.height, rx: 1, fill: of.fill });
}
