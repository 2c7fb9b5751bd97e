// Which of the installations that were found serves: pure, so that `up` and `doctor` cannot
// disagree.
import type { Major } from "../../core/spec.ts";
import type { Installation } from "../installation.ts";
import { type Unusable, isUsable } from "./probe-installation.ts";
import { isSameBuild } from "./same-build.ts";

export type Source = "flag" | "environment" | "system" | "cache" | "download";

export interface Wanted {
  /** Any when it is left out: then the newest. */
  readonly major?: Major;
  /** Of the data that are to be opened; any when it is left out. */
  readonly family?: string;
}

export interface ProbedPlace {
  readonly binDir: string;
  readonly source: Source;
  /** Continues "found" or stands alone: "by pg_config", "named by --pg-bin". */
  readonly foundBy: string;
  readonly probed: Installation | Unusable;
}

/** @returns why it cannot serve, as a sentence's part; undefined when it can. */
export function objectionTo(
  probed: Installation | Unusable,
  { major, family }: Wanted,
): string | undefined {
  if (!isUsable(probed)) return probed.unusable;
  if (major !== undefined && probed.major !== major)
    return `it is PostgreSQL ${probed.version} but ${major} is wanted`;
  if (family !== undefined && !isSameBuild({ major: probed.major, family }, probed))
    return `its build is ${probed.family} but the data were made by ${family}`;
  return undefined;
}

/** @returns the newest that can serve; of equals, the first in the order of the search. */
export function chooseNewest(
  places: readonly ProbedPlace[],
  wanted: Wanted,
): (ProbedPlace & { readonly probed: Installation }) | undefined {
  let best: (ProbedPlace & { readonly probed: Installation }) | undefined;
  for (const place of places) {
    const { probed } = place;
    if (!isUsable(probed) || objectionTo(probed, wanted) !== undefined) continue;
    if (best === undefined || compareVersions(probed.version, best.probed.version) > 0)
      best = { ...place, probed };
  }
  return best;
}

/** Positive when the left one is newer; "18.4" is newer than "18rc1" and than "18.3". */
export function compareVersions(left: string, right: string): number {
  const [leftMajor, leftMinor] = versionNumbers(left);
  const [rightMajor, rightMinor] = versionNumbers(right);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

function versionNumbers(version: string): readonly [major: number, minor: number] {
  const numbers = /^(\d+)(?:\.(\d+))?/.exec(version);
  return [Number(numbers?.[1] ?? 0), Number(numbers?.[2] ?? -1)];
}
