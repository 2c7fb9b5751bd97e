// From single moments to what can be drawn: times without a pause, and what a member was from when
// to when. Pure.
import type { MemberChange, MemberLook } from "../cluster-watch.ts";

export interface Run {
  readonly fromMs: number;
  readonly toMs: number;
  /** By whom the moments were. */
  readonly member: string;
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly look: MemberLook;
}

/** Neighbours of one member that are no further apart than this belong together. */
export function runsOf(
  moments: readonly { readonly atMs: number; readonly member: string }[],
  apartMs: number,
): Run[] {
  const runs: { fromMs: number; toMs: number; member: string }[] = [];
  for (const { atMs, member } of moments.toSorted((one, other) => one.atMs - other.atMs)) {
    const last = runs.at(-1);
    if (last !== undefined && last.member === member && atMs - last.toMs <= apartMs)
      last.toMs = atMs;
    else runs.push({ fromMs: atMs, toMs: atMs, member });
  }
  return runs;
}

/** What one member was, without holes, up to `untilMs`. */
export function spansOf(
  changes: readonly MemberChange[],
  of: { readonly member: string; readonly untilMs: number },
): Span[] {
  const own = changes
    .filter(({ member }) => member === of.member)
    .toSorted((one, other) => one.atMs - other.atMs);
  return own.flatMap(({ atMs, look }, at) => {
    const toMs = own[at + 1]?.atMs ?? of.untilMs;
    return toMs > atMs ? [{ fromMs: atMs, toMs, look }] : [];
  });
}
