import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { UnderstudyError } from "../../core/errors.ts";
import { BackupStream } from "./backup-stream.ts";

function message(type: string, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function row(...columns: (string | null)[]): Buffer {
  const count = Buffer.alloc(2);
  count.writeInt16BE(columns.length);
  const parts: Buffer[] = [count];
  for (const column of columns) {
    const length = Buffer.alloc(4);
    length.writeInt32BE(column === null ? -1 : Buffer.byteLength(column));
    parts.push(length, Buffer.from(column ?? ""));
  }
  return message("D", Buffer.concat(parts));
}

const none = Buffer.alloc(0);
const described = message("T", Buffer.from([0, 0]));
const selected = message("C", Buffer.from("SELECT\0"));
const copy = (text: string): Buffer => message("d", Buffer.from(text));
const rows = (...all: Buffer[]): Buffer => Buffer.concat([described, ...all, selected]);
const copied = (...all: Buffer[]): Buffer =>
  Buffer.concat([message("H", Buffer.from([0, 0, 0])), ...all, message("c", none)]);

const HEAD = Buffer.concat([
  rows(row("0/2000028", "3")),
  message("N", Buffer.from("SNOTICE\0\0")),
  rows(row("16384", "/srv/space", "12"), row(null, null, "40000")),
]);
const TAIL = Buffer.concat([
  rows(row("0/2000100", "3")),
  message("C", Buffer.from("BASE_BACKUP\0")),
  message("Z", Buffer.from("I")),
]);
const AFTER_15 = copied(
  copy("n16384.tar\0/srv/space\0"),
  copy("dspace"),
  copy("p\0\0\0\0\0\0\0\x05"),
  copy("nbase.tar\0\0"),
  copy("dba"),
  copy("dse"),
  copy("m"),
  copy("d{}"),
);
const UNTIL_14 = Buffer.concat([
  copied(copy("space")),
  copied(copy("ba"), copy("se")),
  copied(copy("{}")),
]);
const EXPECTED = [
  "start 0/2000028 3",
  "tablespaces 16384@/srv/space:12288 null@null:40960000",
  "begin 16384",
  "data space",
  "end 16384",
  "begin null",
  "data base",
  "end null",
  "manifest {}",
  "stop 0/2000100 3",
  "ready null",
];

/**
 * Everything that is called back, with adjacent pieces joined. What was fed is overwritten, as a
 * socket's buffer is.
 */
function listen(major: number, portions: readonly Buffer[]): string[] {
  const calls: string[] = [];
  const data = (kind: string, piece: Uint8Array): void => {
    const text = Buffer.from(piece).toString();
    const last = calls.at(-1);
    if (last?.startsWith(`${kind} `)) calls[calls.length - 1] = last + text;
    else calls.push(`${kind} ${text}`);
  };
  const stream = new BackupStream({
    major,
    handler: {
      start: ({ lsn, timeline }) => void calls.push(`start ${lsn} ${timeline}`),
      tablespaces: (list) =>
        void calls.push(
          `tablespaces ${list.map((each) => `${each.oid}@${each.location}:${each.bytes}`).join(" ")}`,
        ),
      archiveBegin: ({ oid }) => void calls.push(`begin ${oid}`),
      archiveData: (piece) => data("data", piece),
      archiveEnd: ({ oid }) => void calls.push(`end ${oid}`),
      manifestData: (piece) => data("manifest", piece),
      end: ({ lsn, timeline }) => void calls.push(`stop ${lsn} ${timeline}`),
      ready: (failure) => void calls.push(`ready ${failure?.code ?? null}`),
    },
  });
  for (const portion of portions) {
    const buffer = Buffer.from(portion);
    stream.feed(buffer);
    buffer.fill(0xff);
  }
  return calls;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const all = [
    0,
    ...places.map((place) => place % bytes.length).sort((a, b) => a - b),
    bytes.length,
  ];
  return all.slice(1).map((end, index) => bytes.subarray(all[index], end));
}

const failed = (error: unknown): boolean =>
  error instanceof UnderstudyError && error.code === "BACKUP_FAILED";

test("the shapes of 10 to 14 and of 15 on give the same calls, however the bytes are cut", () => {
  const portions = fc.array(fc.nat(), { maxLength: 30 });
  fc.assert(
    fc.property(portions, (places) => {
      const until14 = Buffer.concat([HEAD, UNTIL_14, TAIL]);
      const after15 = Buffer.concat([HEAD, AFTER_15, TAIL]);
      assert.deepEqual(listen(13, cut(until14, places)), EXPECTED);
      assert.deepEqual(listen(18, cut(after15, places)), EXPECTED);
    }),
  );
});

test("the server's error is handed on when the command is over", () => {
  const failure = message("E", Buffer.from("SERROR\0C53100\0Mno space\0\0"));
  const calls = listen(15, [HEAD, failure, message("Z", Buffer.from("I"))]);
  assert.equal(calls.at(-1), "ready 53100");
});

test("an end that comes before all archives have come is refused", () => {
  const short = Buffer.concat([HEAD, copied(copy("space")), TAIL]);
  assert.throws(() => listen(12, [short]), failed);
  const foreign = Buffer.concat([HEAD, copied(copy("nother.tar\0\0"))]);
  assert.throws(() => listen(15, [foreign]), failed);
});

test("bytes that are no protocol are refused", () => {
  assert.throws(() => listen(15, [Buffer.from("HTTP/1.1 400 Bad Request\r\n")]), failed);
  assert.throws(() => listen(15, [message("G", none)]), failed);
});
