// How long to wait before something that failed is tried again: longer each time, and never at the
// same moment as everybody else who saw it fail.

export interface Backoff {
  readonly firstMs: number;
  readonly limitMs: number;
}

/**
 * @param of.failures in a row, from 1
 * @param of.chance from 0 to 1
 * @returns between half of the pause and all of it, doubled with each failure, up to the limit.
 */
export function pauseMs(backoff: Backoff, of: { failures: number; chance: number }): number {
  // Beyond 30 doublings every limit is reached, and 2 ** failures would end as Infinity.
  const doubled = backoff.firstMs * 2 ** Math.min(of.failures - 1, 30);
  const whole = Math.min(doubled, backoff.limitMs);
  return whole / 2 + (whole / 2) * of.chance;
}
