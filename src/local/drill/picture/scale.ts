// From milliseconds to pixels, and the round numbers for an axis. Pure.

export interface Scale {
  readonly fromMs: number;
  readonly toMs: number;
  readonly leftPx: number;
  readonly rightPx: number;
}

export function xOf(scale: Scale, ms: number): number {
  const { fromMs, toMs, leftPx, rightPx } = scale;
  return leftPx + ((ms - fromMs) / (toMs - fromMs)) * (rightPx - leftPx);
}

/** As xOf, never outside of the scale. */
export function clampedX(scale: Scale, ms: number): number {
  return xOf(scale, Math.min(Math.max(ms, scale.fromMs), scale.toMs));
}

/** Round numbers within the scale, at most so many. */
export function ticksOf({ fromMs, toMs }: Scale, most: number): number[] {
  const step = roundStep((toMs - fromMs) / Math.max(1, most));
  const first = Math.ceil(fromMs / step);
  const last = Math.floor(toMs / step);
  return Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step);
}

/** The next of 1, 2, 5, 10, 20, 50 … that is no smaller. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((each) => each * power >= least) ?? 10) * power;
}

/** "221 ms", "1.21 s", "12.3 s". */
export function formatMs(ms: number): string {
  const size = Math.abs(ms);
  if (size < 1_000) return `${Math.round(ms)} ms`;
  return `${(ms / 1_000).toFixed(size < 10_000 ? 2 : 1)} s`;
}

/** For an axis: no digits that say nothing. */
export function formatTick(ms: number): string {
  if (Math.abs(ms) < 1_000) return `${Math.round(ms * 100) / 100} ms`;
  return `${Math.round(ms / 10) / 100} s`;
}
