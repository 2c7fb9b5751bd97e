// Follows WAL record by record as long as everything agrees: page address, timeline, back link,
// CRC-32C. The first thing that does not is the end of WAL, exactly where the server's own recovery
// would end. No I/O: pages are handed in one after the other, so memory stays that of one page.
import { Crc32c } from "./crc32c.ts";
import { parsePageHeader, type PageHeader } from "./wal-page.ts";

export interface WalShape {
  readonly systemId: string;
  readonly segmentBytes: number;
  readonly pageBytes: number;
}

export type Step =
  /** The page is used up; the one at `nextPage` is wanted. */
  | { readonly kind: "more" }
  /**
   * A record has just ended where the caller wanted to be asked; the page at `nextPage` may be the
   * same again.
   */
  | { readonly kind: "pause" }
  | { readonly kind: "end"; readonly reason: string };

const HEADER_BYTES = 24;
const CRC_OFFSET = 20;
const MORE: Step = { kind: "more" };

/** What a record's 24 bytes say. */
interface OpenRecord {
  readonly start: number;
  readonly total: number;
  readonly header: Uint8Array;
  readonly crc: Crc32c;
  taken: number;
}

export class WalScanner {
  readonly #shape: WalShape;
  readonly timeline: number;
  /** Pages from here on carry the scanner's timeline; earlier ones may carry an ancestor's. */
  readonly #ownFrom: number;
  #end: number;
  /** Where the next record begins: at the end, but after a record that was given up. */
  #position: number;
  #previous: number | null;
  #magic: number | null = null;
  #nextPage: number;
  #open: OpenRecord | null = null;
  readonly #countFrom: number;
  #commits = 0;

  /**
   * @param from where a record begins. `ownFrom`: from which page on the timeline must be exactly
   * this one. `countFrom`: where a record must begin for its commit to be counted.
   */
  constructor(
    shape: WalShape,
    from: {
      position: number;
      timeline: number;
      previous: number | null;
      ownFrom: number;
      countFrom?: number;
    },
  ) {
    this.#shape = shape;
    this.timeline = from.timeline;
    this.#ownFrom = from.ownFrom;
    this.#end = from.position;
    this.#position = from.position;
    this.#previous = from.previous;
    this.#nextPage = this.#pageOf(from.position);
    this.#countFrom = from.countFrom ?? 0;
  }

  /** Transactions that were committed from `countFrom` on, as far as it has come. */
  get commits(): number {
    return this.#commits;
  }

  /** Behind the last whole record, rounded up to 8 bytes: where the next would be written. */
  get end(): number {
    return this.#end;
  }

  /** The start of that record; null before the first. */
  get lastRecord(): number | null {
    return this.#previous;
  }

  get nextPage(): number {
    return this.#nextPage;
  }

  /**
   * The start of a record that is whole up to the end of a segment, as long as its rest, at
   * `nextPage`, has not come.
   */
  get cutAtSegment(): number | null {
    const isAtSegment = this.#nextPage % this.#shape.segmentBytes === 0;
    return isAtSegment ? (this.#open?.start ?? null) : null;
  }

  /** Another timeline may go on where this one's last record ended. */
  branch(timeline: number): WalScanner {
    const branch = new WalScanner(this.#shape, {
      position: this.#end,
      timeline,
      previous: this.#previous,
      ownFrom: this.#end,
      countFrom: this.#countFrom,
    });
    branch.#commits = this.#commits;
    return branch;
  }

  /**
   * Takes the page at `nextPage`. `pauseAt`: whether to stop behind a record that ends at that
   * position.
   */
  take(page: Uint8Array, pauseAt: (end: number) => boolean): Step {
    const header = parsePageHeader(page);
    const problem = this.#problemOf(header);
    if (problem !== null) return { kind: "end", reason: problem };
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    let offset = this.#offsetIn(header);
    while (offset < page.length) {
      // Most records are short: one that lies whole on its page needs no copy.
      if (this.#open === null && this.#takeWhole(view, offset)) {
        offset = this.#position - header.address;
        if (pauseAt(this.#end)) return { kind: "pause" };
        continue;
      }
      const reason = this.#open === null ? this.#begin(page, offset) : null;
      if (reason !== null) return { kind: "end", reason };
      const taken = this.#fill(page, offset);
      offset += taken.bytes;
      if (taken.reason !== null) return { kind: "end", reason: taken.reason };
      if (!taken.isWhole) break;
      offset = this.#position - header.address;
      if (pauseAt(this.#end)) return { kind: "pause" };
    }
    if (this.#open !== null) this.#nextPage += this.#shape.pageBytes;
    return MORE;
  }

  #problemOf(header: PageHeader): string | null {
    this.#magic ??= header.magic;
    const { systemId, segmentBytes } = this.#shape;
    if (header.magic === 0 || header.magic !== this.#magic)
      return "the page has another magic number";
    if (header.address !== this.#nextPage) return "the page is an older one, of a recycled segment";
    if (header.timeline > this.timeline) return "the page is of a later timeline";
    if (header.address >= this.#ownFrom && header.timeline !== this.timeline)
      return "the page is of an earlier timeline";
    const isFirst = header.address % segmentBytes === 0;
    if (isFirst !== (header.segment !== null)) return "the page's header has the wrong length";
    if (header.segment !== null && header.segment.systemId !== systemId)
      return "the segment is of another cluster";
    if (header.segment !== null && header.segment.bytes !== segmentBytes)
      return "the segment has another size";
    return this.#continuationProblem(header);
  }

  #continuationProblem(header: PageHeader): string | null {
    if (this.#open === null)
      return header.continuesRecord && this.#position === header.address
        ? "the page goes on with a record that was never begun"
        : null;
    if (header.overwritesRecord) {
      // What a crash had cut off was given up when the server started again, and writing went on
      // here.
      this.#open = null;
      this.#position = header.address;
      return null;
    }
    if (!header.continuesRecord) return "the record's rest is missing";
    return header.remaining === this.#open.total - this.#open.taken
      ? null
      : "the record's rest has another length";
  }

  /** Where reading goes on in a page: behind its header, or further inside. */
  #offsetIn(header: PageHeader): number {
    return this.#open === null
      ? Math.max(header.length, this.#position - header.address)
      : header.length;
  }

  /**
   * @returns false when the record does not end on this page, or is none: then it is looked at step
   * by step.
   */
  #takeWhole(view: DataView, offset: number): boolean {
    const total = view.getUint32(offset, true);
    if (total < HEADER_BYTES || total > view.byteLength - offset) return false;
    const previous = view.getUint32(offset + 8, true) + view.getUint32(offset + 12, true) * 2 ** 32;
    if (this.#previous !== null && previous !== this.#previous) return false;
    const crc = new Crc32c()
      .updateWithin(view, { from: offset + HEADER_BYTES, to: offset + total })
      .updateWithin(view, { from: offset, to: offset + CRC_OFFSET })
      .digest();
    if (crc !== view.getUint32(offset + CRC_OFFSET, true)) return false;
    const start = this.#nextPage + offset;
    this.#close(start, {
      at: start + total,
      isSwitch: isSegmentSwitch(view, offset),
      isCommit: isCommit(view, offset),
    });
    return true;
  }

  #begin(page: Uint8Array, offset: number): string | null {
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const total = view.getUint32(offset, true);
    if (total === 0) return "nothing is written there";
    if (total < HEADER_BYTES) return "the record's length is impossible";
    const start = this.#nextPage + offset;
    this.#open = {
      start,
      total,
      header: new Uint8Array(HEADER_BYTES),
      crc: new Crc32c(),
      taken: 0,
    };
    return null;
  }

  /** Takes what the page has of the open record. */
  #fill(
    page: Uint8Array,
    offset: number,
  ): { bytes: number; isWhole: boolean; reason: string | null } {
    const open = this.#open;
    if (open === null) return { bytes: 0, isWhole: false, reason: "no record is open" };
    const bytes = Math.min(open.total - open.taken, page.length - offset);
    const ofHeader = Math.max(0, Math.min(bytes, HEADER_BYTES - open.taken));
    if (ofHeader > 0) open.header.set(page.subarray(offset, offset + ofHeader), open.taken);
    open.crc.update(page.subarray(offset + ofHeader, offset + bytes));
    open.taken += bytes;
    const isWhole = open.taken === open.total;
    return { bytes, isWhole, reason: this.#judge(open, offset + bytes) };
  }

  #judge(open: OpenRecord, offset: number): string | null {
    if (open.taken < HEADER_BYTES) return null;
    const view = new DataView(open.header.buffer);
    const previous = Number(view.getBigUint64(8, true));
    if (this.#previous !== null && previous !== this.#previous)
      return "the record does not follow the one before it";
    if (open.taken < open.total) return null;
    const crc = open.crc.update(open.header.subarray(0, CRC_OFFSET)).digest();
    if (crc !== view.getUint32(CRC_OFFSET, true)) return "the record's checksum is wrong";
    this.#close(open.start, {
      at: this.#nextPage + offset,
      isSwitch: isSegmentSwitch(view, 0),
      isCommit: isCommit(view, 0),
    });
    return null;
  }

  #close(start: number, ended: { at: number; isSwitch: boolean; isCommit: boolean }): void {
    const { segmentBytes } = this.#shape;
    if (ended.isCommit && start >= this.#countFrom) this.#commits += 1;
    const aligned = Math.ceil(ended.at / 8) * 8;
    this.#end = ended.isSwitch ? Math.ceil(aligned / segmentBytes) * segmentBytes : aligned;
    this.#position = this.#end;
    this.#previous = start;
    this.#open = null;
    this.#nextPage = this.#pageOf(this.#end);
  }

  #pageOf(position: number): number {
    return position - (position % this.#shape.pageBytes);
  }
}

/** XLOG_SWITCH of the resource manager XLOG: the rest of the segment is empty. */
function isSegmentSwitch(view: DataView, record: number): boolean {
  return view.getUint8(record + 17) === 0 && (view.getUint8(record + 16) & 0xf0) === 0x40;
}

/**
 * COMMIT or COMMIT PREPARED of the resource manager Transaction, alike in 10 to 18
 * (src/include/access/xact.h).
 */
function isCommit(view: DataView, record: number): boolean {
  const operation = view.getUint8(record + 16) & 0x70;
  return view.getUint8(record + 17) === 1 && (operation === 0x00 || operation === 0x30);
}
