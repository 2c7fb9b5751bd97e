// The outer shape of WAL on disk: how segment files are called, and what stands at the start of
// each page (manual, 30.6 "WAL Internals"; src/include/access/xlog_internal.h). Alike in 10 to 18
// but for the magic number. Positions are plain numbers here: exact up to 8 PiB of WAL, and quick
// enough for one per record.

export interface PageHeader {
  /** Differs by major; only its sameness within one directory is relied upon. */
  readonly magic: number;
  /** The page begins with the rest of a record, of `remaining` bytes. */
  readonly continuesRecord: boolean;
  /** A crash cut the record of the page before off; a new one begins here instead. */
  readonly overwritesRecord: boolean;
  /** On which the page was first written; a segment copied at a promotion keeps its parent's. */
  readonly timeline: number;
  readonly address: number;
  readonly remaining: number;
  readonly length: number;
  /** The first page of a segment says to which it belongs. */
  readonly segment: { readonly systemId: string; readonly bytes: number } | null;
}

const CONTINUES_RECORD = 1;
const LONG_HEADER = 2;
const OVERWRITES_RECORD = 8;
const SHORT_BYTES = 24;
const LONG_BYTES = 40;
const NAMES_PER_LOG = 0x1_0000_0000;

export function parsePageHeader(page: Uint8Array): PageHeader {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const info = view.getUint16(2, true);
  const isLong = (info & LONG_HEADER) !== 0;
  return {
    magic: view.getUint16(0, true),
    continuesRecord: (info & CONTINUES_RECORD) !== 0,
    overwritesRecord: (info & OVERWRITES_RECORD) !== 0,
    timeline: view.getUint32(4, true),
    address: Number(view.getBigUint64(8, true)),
    remaining: view.getUint32(16, true),
    length: isLong ? LONG_BYTES : SHORT_BYTES,
    segment: isLong
      ? { systemId: view.getBigUint64(24, true).toString(), bytes: view.getUint32(32, true) }
      : null,
  };
}

/** "000000010000000000000003" of the segment that holds a position. */
export function segmentFileName(of: {
  timeline: number;
  position: number;
  segmentBytes: number;
}): string {
  const number = Math.floor(of.position / of.segmentBytes);
  const perLog = NAMES_PER_LOG / of.segmentBytes;
  return [of.timeline, Math.floor(number / perLog), number % perLog]
    .map((part) => part.toString(16).toUpperCase().padStart(8, "0"))
    .join("");
}
