// Sizes as PostgreSQL's parameters write them: 16MB, 512kB, 1048576; in powers of 1,024. What is
// formatted here is read back as the very same number.

const UNITS = { B: 1, kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 } as const;

/** @returns bytes, or null when it is no size. A bare number is bytes; MB and MiB are the same. */
export function parseByteSize(text: string): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,3})?) ?([a-z]*)$/i.exec(text.trim());
  if (match === null) return null;
  const unit = (match[2] ?? "").toLowerCase().replace(/^([kmgt])i?b?$/, "$1b") || "b";
  const found = Object.entries(UNITS).find(([name]) => name.toLowerCase() === unit);
  if (found === undefined) return null;
  const bytes = Math.round(Number(match[1]) * found[1]);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** In the largest unit that tells it exactly. */
export function formatByteSize(bytes: number): string {
  const exact = Object.entries(UNITS).findLast(([, size]) => bytes >= size && bytes % size === 0);
  const [unit, size] = exact ?? ["B", 1];
  return `${bytes / size}${unit}`;
}
