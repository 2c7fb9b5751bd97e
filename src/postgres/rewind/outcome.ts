// Whether a rewound directory is what it must be. pg_rewind ends well also where it did nothing,
// and does not ask whether the WAL that the first start needs is there.
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError } from "../../core/errors.ts";
import { formatLsn, parseLsn, type Lsn } from "../../core/lsn.ts";
import { readControlData } from "../control-data.ts";
import { syncDirectory } from "../sync-directory.ts";
import { segmentFileName } from "../wal-page.ts";

/** "0000000300000000000000A1": the timeline, then which segment. */
const TIMELINE_DIGITS = 8;

/**
 * @returns where its first start begins to replay.
 * @throws UnderstudyError REWIND_FAILED naming what is not as it must be.
 */
export async function checkRewound(
  dataDir: string,
  expected: { systemId: string; timeline: number },
): Promise<Lsn> {
  const control = await readControlData(dataDir);
  if (control.systemId !== expected.systemId)
    throw failed(`pg_control has the system identifier ${control.systemId}`);
  const { timeline, minRecoveryTimeline, minRecoveryLsn } = control;
  if (timeline !== expected.timeline || minRecoveryTimeline !== expected.timeline)
    throw failed(
      `pg_control is on timeline ${timeline} and leads to ${minRecoveryTimeline}, not to ${expected.timeline}`,
    );
  const start = startOf(await readFile(join(dataDir, "backup_label"), "utf8").catch(() => ""));
  if (start === null) throw failed("there is no backup label, so nothing was rewound");
  const missing = await missingSegment(dataDir, {
    from: start,
    to: minRecoveryLsn,
    segmentBytes: control.walSegmentBytes,
  });
  if (missing !== null)
    throw failed(
      `it would replay from ${formatLsn(start)}, and the primary has no WAL of segment ${missing} any more`,
    );
  return start;
}

/**
 * Takes out what is the source's or the old primary's: slots. Up to 10 pg_rewind copies the
 * source's; each would hold WAL here for ever (lesson 31).
 */
export async function clearSlots(dataDir: string): Promise<void> {
  const place = join(dataDir, "pg_replslot");
  for (const name of await readdir(place)) await rm(join(place, name), { recursive: true });
  await syncDirectory(place);
}

/** "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)" of a backup label. */
function startOf(label: string): Lsn | null {
  const location = /^START WAL LOCATION: ([0-9A-F]+\/[0-9A-F]+) /m.exec(label)?.[1];
  return location === undefined ? null : parseLsn(location);
}

/** The first segment of a range that no timeline's file in pg_wal holds. */
async function missingSegment(
  dataDir: string,
  range: { from: Lsn; to: Lsn; segmentBytes: number },
): Promise<string | null> {
  const { segmentBytes } = range;
  const names = await readdir(join(dataDir, "pg_wal"));
  const present = new Set(
    names.filter((name) => /^[0-9A-F]{24}$/.test(name)).map((name) => name.slice(TIMELINE_DIGITS)),
  );
  const first = Number(range.from) - (Number(range.from) % segmentBytes);
  for (let position = first; position < Number(range.to); position += segmentBytes) {
    const name = segmentFileName({ timeline: 0, position, segmentBytes }).slice(TIMELINE_DIGITS);
    if (!present.has(name)) return name;
  }
  return null;
}

function failed(why: string): UnderstudyError {
  return new UnderstudyError("REWIND_FAILED", why);
}
