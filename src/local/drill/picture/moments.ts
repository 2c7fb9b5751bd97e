// The numbered moments of a drill: which of the events are drawn, and where their numbers stand so
// that none covers another. Pure.
import type { DrillEvent } from "../report.ts";
import { xOf, type Scale } from "./scale.ts";

/** A number as it is drawn, from 1. */
export interface Moment {
  readonly number: number;
  readonly atMs: number;
  readonly message: string;
}

export interface PlacedMoment extends Moment {
  readonly xPx: number;
  /** Rows above one another: neighbours that are too close are in different ones. */
  readonly row: number;
}

/** What changes who leads, and what brings a member back. */
const TELLING = new Set([
  "fault",
  "undone",
  "streams-again",
  "stepped-down",
  "leader-gone",
  "handed-over",
  "elected",
  "lease-taken",
  "promoted",
  "fenced",
  "server-killed",
  "held-server-ended",
  "agent-restarted",
  "switchover-undone",
  "diverged-wal-kept",
  "data-set-aside",
  "rewound",
  "cloned",
]);
const MOST = 9;
const ROOM_PX = 20;

export function momentsOf(events: readonly DrillEvent[]): Moment[] {
  const told = events.filter(({ event }) => TELLING.has(event)).slice(0, MOST);
  return told.map(({ atMs, message }, at) => ({ number: at + 1, atMs, message }));
}

/** Those that lie on the scale. */
export function placeMoments(moments: readonly Moment[], scale: Scale): PlacedMoment[] {
  const placed: PlacedMoment[] = [];
  const lastInRow: number[] = [];
  for (const moment of moments.toSorted((one, other) => one.atMs - other.atMs)) {
    if (!isOn(scale, moment.atMs)) continue;
    const xPx = xOf(scale, moment.atMs);
    const free = lastInRow.findIndex((last) => xPx - last >= ROOM_PX);
    const row = free === -1 ? lastInRow.length : free;
    lastInRow[row] = xPx;
    placed.push({ ...moment, xPx, row });
  }
  return placed;
}

export function isOn({ fromMs, toMs }: Scale, atMs: number): boolean {
  return atMs >= fromMs && atMs <= toMs;
}
