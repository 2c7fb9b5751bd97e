import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { crc32c } from "./crc32c.ts";
import { segmentFileName } from "./wal-page.ts";
import { WalScanner } from "./wal-scanner.ts";

const SHAPE = { systemId: "77", segmentBytes: 4096, pageBytes: 512 };
const MAGIC = 0xd110;

/** Writes WAL as PostgreSQL lays it out, into memory that begins with a segment. */
class WalWriter {
  readonly bytes = Buffer.alloc(SHAPE.segmentBytes * 12);
  readonly #timeline: number;
  position = 0;
  #previous = 0;

  constructor(timeline = 1) {
    this.#timeline = timeline;
  }

  append(data: Uint8Array, kind: { isSwitch?: boolean; isCommit?: boolean } = {}): number {
    if (this.position % SHAPE.pageBytes === 0) this.#beginPage(0);
    const start = this.position;
    const record = Buffer.alloc(24 + data.length);
    record.writeUInt32LE(record.length, 0);
    record.writeBigUInt64LE(BigInt(this.#previous), 8);
    const isCommit = kind.isCommit === true && kind.isSwitch !== true;
    record[16] = kind.isSwitch ? 0x40 : isCommit ? 0x80 : 0x20;
    record[17] = isCommit ? 1 : 0;
    record.set(data, 24);
    const crc = crc32c(Buffer.concat([record.subarray(24), record.subarray(0, 20)]));
    record.writeUInt32LE(crc, 20);
    for (let done = 0; done < record.length;) {
      if (this.position % SHAPE.pageBytes === 0) this.#beginPage(record.length - done);
      const room = SHAPE.pageBytes - (this.position % SHAPE.pageBytes);
      const taken = record.copy(this.bytes, this.position, done, done + room);
      this.position += taken;
      done += taken;
    }
    this.position = Math.ceil(this.position / 8) * 8;
    if (kind.isSwitch)
      this.position = Math.ceil(this.position / SHAPE.segmentBytes) * SHAPE.segmentBytes;
    this.#previous = start;
    return start;
  }

  #beginPage(remaining: number): void {
    const at = this.position;
    const isLong = at % SHAPE.segmentBytes === 0;
    this.bytes.writeUInt16LE(MAGIC, at);
    this.bytes.writeUInt16LE((remaining > 0 ? 1 : 0) | (isLong ? 2 : 0), at + 2);
    this.bytes.writeUInt32LE(this.#timeline, at + 4);
    this.bytes.writeBigUInt64LE(BigInt(at), at + 8);
    this.bytes.writeUInt32LE(remaining, at + 16);
    if (isLong) {
      this.bytes.writeBigUInt64LE(77n, at + 24);
      this.bytes.writeUInt32LE(SHAPE.segmentBytes, at + 32);
      this.bytes.writeUInt32LE(SHAPE.pageBytes, at + 36);
    }
    this.position += isLong ? 40 : 24;
  }
}

function scan(
  bytes: Uint8Array,
  position: number,
  countFrom = 0,
): { scanner: WalScanner; reason: string } {
  const from = { position, timeline: 1, previous: null, ownFrom: position + 1, countFrom };
  const scanner = new WalScanner(SHAPE, from);
  for (;;) {
    const page = bytes.subarray(scanner.nextPage, scanner.nextPage + SHAPE.pageBytes);
    if (page.length < SHAPE.pageBytes) return { scanner, reason: "no page" };
    const step = scanner.take(page, () => false);
    if (step.kind === "end") return { scanner, reason: step.reason };
  }
}

const records = fc.array(
  fc.record({
    data: fc.uint8Array({ maxLength: 1500 }),
    isSwitch: fc.nat({ max: 5 }).map((chosen) => chosen === 0),
    isCommit: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12 },
);

function write(entries: readonly { data: Uint8Array; isSwitch: boolean; isCommit: boolean }[]): {
  writer: WalWriter;
  starts: number[];
  ends: number[];
} {
  const writer = new WalWriter();
  const [starts, ends]: [number[], number[]] = [[], []];
  for (const { data, isSwitch, isCommit } of entries) {
    if (writer.position + 4 * SHAPE.segmentBytes > writer.bytes.length) break;
    starts.push(writer.append(isSwitch ? new Uint8Array(0) : data, { isSwitch, isCommit }));
    ends.push(writer.position);
  }
  return { writer, starts, ends };
}

test("whole WAL is read to its last record, from any record on", () => {
  fc.assert(
    fc.property(records, fc.nat(), (entries, pick) => {
      const { writer, starts, ends } = write(entries);
      const { scanner } = scan(writer.bytes, starts[pick % starts.length] ?? 0);
      assert.equal(scanner.end, ends.at(-1));
      assert.equal(scanner.lastRecord, starts.at(-1));
    }),
  );
});

test("commits are counted from where it is asked for, however records lie on pages", () => {
  fc.assert(
    fc.property(records, fc.nat(), (entries, pick) => {
      const { writer, starts } = write(entries);
      const first = pick % starts.length;
      const { scanner } = scan(writer.bytes, starts[0] ?? 0, starts[first]);
      const counted = entries
        .slice(0, starts.length)
        .filter(({ isSwitch, isCommit }, at) => at >= first && isCommit && !isSwitch);
      assert.equal(scanner.commits, counted.length);
    }),
  );
});

test("whatever is cut off or changed, the end is behind the last record before it", () => {
  fc.assert(
    fc.property(
      records,
      fc.nat(),
      fc.constantFrom("zeros", "junk", "one byte"),
      (entries, pick, damage) => {
        const { writer, starts, ends } = write(entries);
        const victim = pick % starts.length;
        const start = starts[victim] ?? 0;
        // The first field of a record is always on one page; a later byte may be a header's
        // padding.
        if (damage === "zeros") writer.bytes.fill(0, start);
        else if (damage === "junk") writer.bytes.fill(0xa5, start);
        else writer.bytes[start + 4] = (writer.bytes[start + 4] ?? 0) ^ 1;
        const { scanner } = scan(writer.bytes, starts[0] ?? 0);
        assert.equal(scanner.lastRecord, victim === 0 ? null : starts[victim - 1]);
        if (victim > 0) assert.equal(scanner.end, ends[victim - 1]);
      },
    ),
  );
});

test("what a recycled segment still holds is told from new WAL by its page addresses", () => {
  const writer = new WalWriter();
  const first = writer.append(new Uint8Array(100));
  for (let count = 0; count < 8; count++) writer.append(new Uint8Array(200));
  writer.append(new Uint8Array(0), { isSwitch: true });
  const end = writer.position;
  assert.equal(end, SHAPE.segmentBytes);
  writer.bytes.copy(writer.bytes, SHAPE.segmentBytes, 0, SHAPE.segmentBytes);
  const { scanner, reason } = scan(writer.bytes, first);
  assert.equal(scanner.end, end);
  assert.match(reason, /recycled/);
});

test("a branch goes on only with pages of its own timeline", () => {
  const writer = new WalWriter();
  const first = writer.append(new Uint8Array(300));
  writer.append(new Uint8Array(700));
  const from = { position: first, timeline: 1, previous: null, ownFrom: first + 1 };
  const scanner = new WalScanner(SHAPE, from);
  const page = writer.bytes.subarray(0, SHAPE.pageBytes);
  assert.equal(scanner.take(page, () => true).kind, "pause");
  const branch = scanner.branch(2);
  assert.equal(branch.take(page, () => true).kind, "more");
  const next = writer.bytes.subarray(SHAPE.pageBytes, 2 * SHAPE.pageBytes);
  assert.deepEqual(
    branch.take(next, () => true),
    {
      kind: "end",
      reason: "the page is of an earlier timeline",
    },
  );
});

function nameOf(position: number, segmentMb: number): string {
  return segmentFileName({ timeline: 10, position, segmentBytes: segmentMb * 1024 * 1024 });
}

test("segment files are called as PostgreSQL calls them, whatever their size", () => {
  assert.equal(nameOf(0x3_000_060, 16), "0000000A0000000000000003");
  assert.equal(nameOf(0x1_ff00_0000, 16), "0000000A00000001000000FF");
  assert.equal(nameOf(0x1_ff00_0000, 1), "0000000A0000000100000FF0");
  assert.equal(nameOf(0x2_4000_0000, 1024), "0000000A0000000200000001");
});
