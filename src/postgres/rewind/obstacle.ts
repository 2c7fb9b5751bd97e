// Whether a diverged data directory may be rewound, decided from plain facts before anything is
// touched. Pure. What pg_rewind would only find out half way is asked for here as far as it can be.

export interface RewindFacts {
  /** Of the member's own installation. */
  readonly tools: readonly string[];
  /** Of the member's pg_control. */
  readonly target: {
    readonly walLogHints: boolean;
    readonly checksumVersion: number;
    /** On which its WAL ends. */
    readonly timeline: number;
    /** Of its data files, without WAL. */
    readonly dataBytes: number;
    readonly tablespaces: number;
  };
  readonly source: { readonly timeline: number; readonly tablespaces: number };
  /** Of the segments that would be kept aside. */
  readonly divergedWalBytes: number;
  /** The first of those that is not in pg_wal any more; null when all are. */
  readonly missingSegment: string | null;
}

/** More than this is not copied aside: the directory gives way as a whole. */
const KEPT_WAL_LIMIT_BYTES = 1024 * 1024 * 1024;
/**
 * A record touches pages of 8 kB: with this much of WAL a rewind copies about as much as a clone.
 */
const LARGE_SHARE = 0.5;
/** Below this the share says nothing: WAL comes in segments. */
const SMALL_BYTES = 64 * 1024 * 1024;

/** @returns why it must not be rewound, as the end of a sentence; null when it may. */
export function rewindObstacle(facts: RewindFacts): string | null {
  const { target, source } = facts;
  if (!facts.tools.includes("pg_rewind")) return "the PostgreSQL installation has no pg_rewind";
  if (!target.walLogHints && target.checksumVersion === 0)
    return "it has neither data checksums nor wal_log_hints, so nothing tells which pages changed";
  // pg_rewind compares numbers, and would take the two for the same (lesson 19).
  if (target.timeline === source.timeline)
    return `it is on timeline ${target.timeline} itself, and not on one that was left`;
  // Their directories are named by links, which differ between members, and pg_rewind would follow
  // the source's.
  if (target.tablespaces > 0 || source.tablespaces > 0)
    return "there are tablespaces, whose directories pg_rewind does not tell apart";
  if (facts.missingSegment !== null)
    return `its WAL since the switch point is not whole: ${facts.missingSegment} is not there any more`;
  const { divergedWalBytes } = facts;
  const limit = Math.max(SMALL_BYTES, target.dataBytes * LARGE_SHARE);
  if (divergedWalBytes > Math.min(limit, KEPT_WAL_LIMIT_BYTES))
    return `${divergedWalBytes} bytes of diverged WAL are too many for ${target.dataBytes} bytes of data`;
  return null;
}
