// Where reading the WAL of a stopped server may begin when only its end is wanted. From its newest
// checkpoint that can be a gigabyte, seconds of reading while nobody can write. But PostgreSQL
// syncs a segment before it writes the next but one, so that all before the last two is whole, even
// after the machine has failed; and each page tells where the first record on it begins.
import type { Lsn } from "../core/lsn.ts";
import type { ControlData } from "./control-data.ts";
import type { WalFiles } from "./wal-files.ts";
import { parsePageHeader, type PageHeader } from "./wal-page.ts";

export interface Start {
  /** Where a record begins. */
  readonly position: number;
  /** Pages from here on carry the timeline that is read. */
  readonly ownFrom: number;
}

/** Most records are far shorter, so that a whole one lies between there and the hint. */
const BEFORE_HINT_BYTES = 256 * 1024;

/**
 * The first record behind the beginning of the last segment but one, or close before a hint that
 * lies further on; null where the newest checkpoint is as good. Whoever finds no whole record from
 * there on has to begin at the checkpoint: a longer one may lie across it.
 * @param of.near a position that is likely to be close to the end. It may be far from it, but all
 * before it is to be on that disk for certain, as what a primary has sent is, or with the one who
 * asks: a hole before it is not seen.
 */
export async function lateStart(
  files: WalFiles,
  of: { readonly control: ControlData; readonly near: Lsn | null },
): Promise<Start | null> {
  const { control, near } = of;
  const { walSegmentBytes: segmentBytes, walBlockBytes: pageBytes } = control;
  const checkpoint = Number(control.checkpointLsn);
  const address = checkpoint - (checkpoint % pageBytes);
  const page = await files.lonePage(address, control.timeline);
  // Without it the server cannot start, wherever its WAL ends.
  if (page === null || parsePageHeader(page).address !== address) return null;
  const last = await lastSegment(files, control);
  const hint = near === null ? 0 : Math.min(Number(near), last + segmentBytes) - BEFORE_HINT_BYTES;
  const from = Math.max(last - segmentBytes, hint - (hint % pageBytes));
  return from <= checkpoint ? null : firstRecord(files, { control, from });
}

/** The start of the newest segment that was written in this way through the timelines. */
async function lastSegment(files: WalFiles, control: ControlData): Promise<number> {
  const { walSegmentBytes: segmentBytes } = control;
  const checkpoint = Number(control.checkpointLsn);
  let last = checkpoint - (checkpoint % segmentBytes);
  for (;;) {
    const next = last + segmentBytes;
    const page = await files.lonePage(next, control.timeline);
    if (page === null || headerAt(page, { control, address: next }) === null) return last;
    last = next;
  }
}

async function firstRecord(
  files: WalFiles,
  of: { control: ControlData; from: number },
): Promise<Start | null> {
  const { control, from } = of;
  for (let address = from; ; address += control.walBlockBytes) {
    const page = await files.page(address, control.timeline);
    const header = page === null ? null : headerAt(page, { control, address });
    if (header === null) return null;
    const { length, remaining, continuesRecord, overwritesRecord } = header;
    const rest = continuesRecord && !overwritesRecord ? Math.ceil(remaining / 8) * 8 : 0;
    if (length + rest <= control.walBlockBytes)
      return { position: address + length + rest, ownFrom: from };
  }
}

/** Null where the page was not written there, as in a segment that was recycled or prepared. */
function headerAt(
  page: Uint8Array,
  of: { control: ControlData; address: number },
): PageHeader | null {
  const header = parsePageHeader(page);
  const { control, address } = of;
  if (header.magic === 0 || header.address !== address) return null;
  if (header.timeline !== control.timeline) return null;
  const { segment } = header;
  const isForeign = segment !== null && segment.systemId !== control.systemId;
  return isForeign ? null : header;
}
