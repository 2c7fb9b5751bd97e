// Durations as people write them: 500ms, 30s, 5min, 1h, 2d. What is formatted here is read back as
// the very same number.

const UNITS = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @returns milliseconds, or null when it is no duration. A bare number is no duration but 0. */
export function parseDurationMs(text: string): number | null {
  if (text.trim() === "0") return 0;
  const match = /^(\d{1,9}(?:\.\d{1,3})?) ?(ms|s|min|m|h|d)$/i.exec(text.trim());
  if (match === null) return null;
  const word = (match[2] ?? "").toLowerCase();
  const unit = Object.entries(UNITS).find(([name]) => name === (word === "m" ? "min" : word));
  const ms = Math.round(Number(match[1]) * (unit?.[1] ?? Number.NaN));
  return Number.isSafeInteger(ms) ? ms : null;
}

/** In the largest unit that tells it exactly. */
export function formatDurationMs(ms: number): string {
  const exact = Object.entries(UNITS).findLast(([, size]) => ms >= size && ms % size === 0);
  const [unit, size] = exact ?? ["ms", 1];
  return `${ms / size}${unit}`;
}
