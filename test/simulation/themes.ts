// What a plan may be about: a few faults as they do most harm, one after the other. Where each plan
// draws alike from all, faults that do harm only together hardly ever meet.
import type { SyncPolicy } from "../../src/core/record.ts";
import type { FaultKind, Moment, Whom } from "./faults.ts";

export interface Theme {
  /** Most of the faults are drawn from these alike. */
  readonly faults: readonly Emphasis[];
  /** All of these come, before any other. */
  readonly first?: readonly Emphasis[];
  /** What of it is wanted at first is not drawn. */
  readonly sync?: Partial<SyncPolicy>;
  /** At least and at most. */
  readonly size?: readonly [number, number];
}

export interface Emphasis {
  readonly kind: FaultKind;
  /** Else it is drawn as usual. */
  readonly whom?: Whom;
  /** It waits for one of these. */
  readonly moments?: readonly Moment[];
  readonly lastsMs?: readonly [number, number];
}

export const THEMES = {
  anything: { faults: [] },
  /** What is promised of commits changes again and again. */
  promises: {
    sync: { mode: "on" },
    faults: [
      { kind: "synchronous replication is changed" },
      { kind: "synchronous replication is changed", moments: ["promise", "service"] },
      { kind: "member is stopped for a while", whom: "a standby" },
      { kind: "PostgreSQL is killed", whom: "the primary", moments: ["promise", "service"] },
      { kind: "agent crashes", whom: "the primary", moments: ["promise", "service"] },
      { kind: "member is killed whole", whom: "the primary", moments: ["promise", "service"] },
    ],
  },
  /** The store does what is asked, and who asked does not hear of it. */
  answers: {
    sync: { mode: "on", required: 1, whenUnavailable: "degrade" },
    size: [2, 2],
    faults: [
      {
        kind: "one member does not hear the store",
        whom: "the primary",
        moments: ["firstPromise"],
        lastsMs: [8_000, 30_000],
      },
      { kind: "member is killed whole", whom: "a standby", lastsMs: [6_000, 14_000] },
    ],
  },
  /** A primary has no store, and comes to harm meanwhile. */
  outages: {
    faults: [
      {
        kind: "one member does not hear the store",
        whom: "the primary",
        lastsMs: [8_000, 30_000],
      },
      { kind: "store is cut from one member", whom: "the primary", lastsMs: [8_000, 30_000] },
      { kind: "store does not hear one member", whom: "the primary", lastsMs: [8_000, 30_000] },
      { kind: "PostgreSQL is killed", whom: "the primary" },
      { kind: "member is restarted", whom: "the primary" },
      { kind: "member is killed whole", whom: "the primary" },
    ],
  },
  /** Who was given up comes back at once. */
  returns: {
    faults: [
      { kind: "member is frozen", whom: "the primary", lastsMs: [2_000, 20_000] },
      { kind: "member is killed whole", whom: "the primary", lastsMs: [100, 4_000] },
      { kind: "agent and deadman are killed", whom: "the primary", lastsMs: [100, 10_000] },
      { kind: "store is cut from one member", whom: "the primary", lastsMs: [5_000, 30_000] },
      { kind: "member is cut off from the others", whom: "the primary", lastsMs: [5_000, 30_000] },
    ],
  },
  /** Two members lead one after the other, and neither has what the other wrote. */
  forks: {
    sync: { mode: "off" },
    size: [2, 3],
    faults: [
      { kind: "member is killed whole", whom: "the primary", lastsMs: [10_000, 40_000] },
      {
        kind: "member is killed whole",
        whom: "the primary",
        moments: ["primary"],
        lastsMs: [10_000, 40_000],
      },
      { kind: "everything is killed" },
    ],
  },
  handovers: {
    faults: [
      { kind: "switchover is asked for" },
      { kind: "switchover is asked for twice" },
      { kind: "PostgreSQL is killed", whom: "the primary" },
      { kind: "store is slow", moments: ["switchover"] },
      { kind: "agent crashes", moments: ["switchover", "handover", "lease"] },
      { kind: "agent is paused", whom: "the primary", moments: ["handover"] },
    ],
  },
  /** People's clocks are set while a primary waits for something. */
  clocks: {
    sync: { mode: "on", required: 1, whenUnavailable: "block" },
    size: [2, 3],
    faults: [
      { kind: "wall clock jumps" },
      { kind: "wall clock jumps", moments: ["primary", "start", "copy"] },
      { kind: "member is killed whole", whom: "the primary", lastsMs: [2_000, 20_000] },
      { kind: "disk is full", whom: "the primary", lastsMs: [20_000, 60_000] },
    ],
  },
  /** Some of those that have what was promised are gone for good, and some are not heard of. */
  losses: {
    sync: { mode: "on" },
    size: [3, 5],
    faults: [
      { kind: "two are lost with their disks", whom: "the primary" },
      { kind: "member is lost with its disk", whom: "the primary" },
      { kind: "member is lost with its disk", whom: "a standby" },
      { kind: "network is cut between two", whom: "a standby" },
      { kind: "member is cut off from the others", whom: "a standby" },
    ],
  },
  /** Standbys are not equally far when there is no primary any more. */
  stragglers: {
    sync: { mode: "off" },
    size: [3, 5],
    faults: [
      { kind: "member is lost with its disk", whom: "the primary" },
      { kind: "data directory is lost", whom: "the primary" },
      { kind: "network is slow", whom: "a standby" },
      { kind: "network is cut in one direction", whom: "a standby" },
      { kind: "member is cut off from the others", whom: "a standby", lastsMs: [500, 20_000] },
    ],
  },
  /** Who leads next was out of reach, and all others have more than it. */
  castaways: {
    sync: { mode: "off" },
    size: [3, 4],
    faults: [
      { kind: "member is cut off from the others", whom: "a standby", lastsMs: [8_000, 20_000] },
      { kind: "member is cut off from the others", whom: "a standby", lastsMs: [8_000, 20_000] },
      { kind: "member is lost with its disk", whom: "the primary", lastsMs: [5_000, 20_000] },
    ],
  },
  /** Servers that go on without those who answer for them. */
  orphans: {
    faults: [
      { kind: "postmaster alone is killed", whom: "the primary" },
      { kind: "agent and deadman are killed", whom: "the primary" },
      { kind: "backend crashes", whom: "the primary" },
      { kind: "agent is paused", whom: "the primary", moments: ["start", "promotion", "primary"] },
      { kind: "agent crashes", moments: ["start", "election", "lease", "promotion"] },
    ],
  },
} as const satisfies Record<string, Theme>;

/** Drawn from another stream than the others: so that the plans of old seeds stay. */
export const LATER_THEMES = {
  /** Standbys stream from standbys, and those are lost, lead, or have what nobody else has. */
  cascades: {
    size: [3, 5],
    first: [
      { kind: "member's upstream is changed", whom: "a standby" },
      { kind: "member's upstream is changed" },
    ],
    faults: [
      { kind: "member's upstream is changed", whom: "a standby" },
      { kind: "member's upstream is changed" },
      { kind: "member is killed whole", whom: "an upstream", lastsMs: [10_000, 60_000] },
      { kind: "member is lost with its disk", whom: "an upstream", lastsMs: [2_000, 30_000] },
      { kind: "member is cut off from the others", whom: "an upstream", lastsMs: [5_000, 30_000] },
      { kind: "agent is paused", whom: "an upstream" },
      { kind: "member is killed whole", whom: "the primary" },
      { kind: "member is lost with its disk", whom: "the primary", lastsMs: [5_000, 20_000] },
      { kind: "switchover is asked for" },
    ],
  },
  /** A primary recovers on a full disk, and lets nobody in. */
  shutouts: {
    sync: { mode: "off" },
    size: [2, 4],
    faults: [
      { kind: "disk is full", whom: "the primary", lastsMs: [20_000, 80_000] },
      { kind: "disk is full", whom: "the primary", lastsMs: [20_000, 80_000] },
      { kind: "backend crashes", whom: "the primary" },
      { kind: "disk is full", whom: "a standby", lastsMs: [10_000, 60_000] },
      { kind: "member is killed whole", whom: "a standby", lastsMs: [10_000, 40_000] },
      { kind: "connections are all taken", whom: "the primary", lastsMs: [8_000, 30_000] },
    ],
  },
  /** A time was named for a switchover, and it is not what it was when that comes. */
  schedules: {
    faults: [
      { kind: "switchover is scheduled" },
      { kind: "switchover is scheduled", whom: "the primary" },
      { kind: "scheduled switchover is cancelled" },
      { kind: "scheduled switchover is cancelled", moments: ["due"] },
      { kind: "wall clock jumps", whom: "the primary" },
      { kind: "agent crashes", whom: "the primary", moments: ["switchover", "handover"] },
      { kind: "one member does not hear the store", whom: "the primary", lastsMs: [500, 15_000] },
      { kind: "member is killed whole", whom: "the primary", lastsMs: [500, 15_000] },
      { kind: "switchover is asked for" },
    ],
  },
} as const satisfies Record<string, Theme>;

const ALL_THEMES = { ...THEMES, ...LATER_THEMES };

export type ThemeName = keyof typeof ALL_THEMES;

export function themeOf(name: ThemeName): Theme {
  return ALL_THEMES[name];
}

export const FIRST_THEME_NAMES = Object.keys(THEMES) as readonly ThemeName[];
export const LATER_THEME_NAMES = Object.keys(LATER_THEMES) as readonly ThemeName[];
export const THEME_NAMES = Object.keys(ALL_THEMES) as readonly ThemeName[];
