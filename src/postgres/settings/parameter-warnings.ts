// Values that a user may choose and should know about.

const OFF = /^(off|of|false|fals|fal|fa|f|no|n|0)$/i;

interface Advice {
  readonly name: string;
  readonly applies: (value: string) => boolean;
  readonly warning: string;
}

const ADVICE: readonly Advice[] = [
  {
    // Lessons table 2, row 4: measured there.
    name: "synchronous_commit",
    applies: (value) => OFF.test(value),
    warning:
      "synchronous_commit=off: a crash of the primary loses the newest acknowledged commits, and no standby has them either",
  },
  {
    name: "max_slot_wal_keep_size",
    applies: (value) => Number(value) < 0,
    warning: "max_slot_wal_keep_size=-1: a standby that stays away fills the primary's disk",
  },
  {
    name: "autovacuum",
    applies: (value) => OFF.test(value),
    warning: "autovacuum=off: tables grow without bound, until the server stops taking writes",
  },
];

/** One sentence for each value that deserves one. */
export function parameterWarnings(parameters: Readonly<Record<string, string>>): string[] {
  return Object.entries(parameters).flatMap(([name, value]) =>
    ADVICE.filter((advice) => advice.name === name && advice.applies(value.trim())).map(
      ({ warning }) => warning,
    ),
  );
}
