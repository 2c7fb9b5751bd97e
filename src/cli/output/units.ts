// Figures as people read them: bytes in powers of 1,024, seconds up to days. Unknown is a word,
// never 0.

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
export const UNKNOWN = "unknown";

/** 0 is "0 B", 1,536 "1.5 KiB", 16,777,216 "16 MiB"; null is "unknown". */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return UNKNOWN;
  let value = bytes;
  let unit = 0;
  // 1,023.96 KiB would print as "1024 KiB": it is 1 MiB.
  while (rounded(value) >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${rounded(value)} ${BYTE_UNITS[unit]}`;
}

/** 0.7 is "0.7 s", 180 "3 min", 7,200 "2 h", 172,800 "2 d"; null is "unknown". */
export function formatSeconds(seconds: number | null): string {
  if (seconds === null) return UNKNOWN;
  if (Math.round(seconds) < 120) return `${rounded(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(seconds / 3600);
  return hours < 48 ? `${hours} h` : `${Math.round(seconds / 86_400)} d`;
}

/** "1 standby", "2 standbys". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** "demo-1, demo-2 and demo-3". */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** One decimal below ten, none above: more says nothing to a reader. */
function rounded(value: number): number {
  return value < 9.95 ? Math.round(value * 10) / 10 : Math.round(value);
}
