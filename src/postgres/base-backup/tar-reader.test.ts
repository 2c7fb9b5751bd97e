import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { UnderstudyError } from "../../core/errors.ts";
import { type TarEntry, TarReader, tarPath } from "./tar-reader.ts";

interface Header {
  name: string;
  prefix?: string;
  flag?: string;
  size?: number;
  mode?: number;
  linkName?: string;
  base256?: boolean;
  magic?: string;
}

/** One ustar header, written from the POSIX description and independent of the reader. */
function header(given: Header): Buffer {
  const block = Buffer.alloc(512);
  block.write(given.name, 0, 100);
  block.write((given.mode ?? 0o600).toString(8).padStart(7, "0"), 100);
  const size = given.size ?? 0;
  if (given.base256) {
    block.writeBigUInt64BE(BigInt(size), 128);
    block[124] = 0x80;
  } else block.write(size.toString(8).padStart(11, "0"), 124);
  block.fill(" ", 148, 156);
  block.write(given.flag ?? "0", 156);
  block.write(given.linkName ?? "", 157);
  block.write(given.magic ?? "ustar\x0000", 257);
  block.write(given.prefix ?? "", 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function file(given: Header, content: Buffer): Buffer {
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header({ ...given, size: content.length }), content, padding]);
}

function pax(records: Record<string, string>): Buffer {
  let body = "";
  for (const [key, value] of Object.entries(records)) {
    const rest = ` ${key}=${value}\n`;
    let length = Buffer.byteLength(rest) + 1;
    while (String(length).length + Buffer.byteLength(rest) !== length) length++;
    body += `${length}${rest}`;
  }
  return file({ name: "PaxHeader", flag: "x" }, Buffer.from(body));
}

interface Read extends TarEntry {
  content: Buffer;
}

function read(archive: Uint8Array, cuts: readonly number[] = []): Read[] {
  const entries: Read[] = [];
  let parts: Uint8Array[] = [];
  const reader = new TarReader({
    code: "BACKUP_CORRUPT",
    source: "an archive",
    handler: {
      entry: () => void (parts = []),
      data: (chunk) => void parts.push(chunk.slice()),
      end: (entry) => void entries.push({ ...entry, content: Buffer.concat(parts) }),
    },
  });
  const places = [0, ...[...cuts].sort((a, b) => a - b), archive.length];
  for (let index = 1; index < places.length; index++)
    reader.feed(archive.subarray(places[index - 1], places[index]));
  reader.finish();
  return entries;
}

const corrupt = (error: unknown): boolean =>
  error instanceof UnderstudyError && error.code === "BACKUP_CORRUPT";

test("any way of cutting an archive gives the same entries", () => {
  const entry = fc.record({
    name: fc.stringMatching(/^[a-z]{1,8}(\/[a-z_.0-9]{1,8}){0,3}$/),
    content: fc.uint8Array({ maxLength: 1500 }),
    mode: fc.constantFrom(0o600, 0o640, 0o755),
    long: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 6 }), fc.array(fc.nat(12_000)), (entries, cuts) => {
      const archive = Buffer.concat(
        entries.flatMap(({ name, content, mode, long }) => [
          ...(long ? [pax({ path: `${"d".repeat(120)}/${name}` })] : []),
          file({ name, mode }, Buffer.from(content)),
        ]),
      );
      const found = read(
        archive,
        cuts.map((cut) => Math.min(cut, archive.length)),
      );
      assert.deepEqual(
        found.map(({ name, mode, content }) => ({ name, mode, content: content.toString("hex") })),
        entries.map(({ name, mode, content, long }) => ({
          name: long ? `${"d".repeat(120)}/${name}` : name,
          mode,
          content: Buffer.from(content).toString("hex"),
        })),
      );
    }),
  );
});

test("random bytes never pass for an archive and never end in anything but its error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 512, maxLength: 2048 }), (bytes) => {
      fc.pre(bytes.subarray(0, 512).some((byte) => byte !== 0));
      assert.throws(() => read(bytes), corrupt);
    }),
  );
});

test("directories, links and empty files come without data", () => {
  const archive = Buffer.concat([
    header({ name: "base/", flag: "5", mode: 0o700 }),
    header({ name: "pg_tblspc/16384", flag: "2", linkName: "/srv/space" }),
    header({ name: "base/1/PG_VERSION" }),
    header({ name: "old/", flag: "\0" }),
    Buffer.alloc(1024),
  ]);
  assert.deepEqual(
    read(archive).map(({ name, type, linkName }) => [name, type, linkName]),
    [
      ["base", "directory", ""],
      ["pg_tblspc/16384", "symlink", "/srv/space"],
      ["base/1/PG_VERSION", "file", ""],
      ["old", "directory", ""],
    ],
  );
});

test("a name of more than 100 bytes comes from the ustar prefix, a pax header or a GNU long name", () => {
  const long = `${"a".repeat(120)}/${"b".repeat(90)}`;
  const gnu = file({ name: "././@LongLink", flag: "L" }, Buffer.from(`${long}\0`));
  const archive = Buffer.concat([
    file({ name: "b".repeat(90), prefix: "a".repeat(120) }, Buffer.from("1")),
    pax({ path: long, mtime: "1.5", comment: "ü" }),
    file({ name: "short" }, Buffer.from("2")),
    gnu,
    file({ name: "short" }, Buffer.from("3")),
    file({ name: "next" }, Buffer.from("4")),
  ]);
  assert.deepEqual(
    read(archive).map(({ name, content }) => [name, content.toString()]),
    [
      [long, "1"],
      [long, "2"],
      [long, "3"],
      ["next", "4"],
    ],
  );
});

test("GNU's own format has no prefix", () => {
  const archive = file({ name: "n", prefix: "123", magic: "ustar  \0" }, Buffer.from("x"));
  assert.equal(read(archive)[0]?.name, "n");
});

test("a size beyond 8 GiB is read from base 256", () => {
  const sizes: number[] = [];
  const reader = new TarReader({
    code: "BACKUP_CORRUPT",
    source: "an archive",
    handler: { entry: (entry) => void sizes.push(entry.size), data() {}, end() {} },
  });
  reader.feed(header({ name: "big", size: 9 * 2 ** 30 + 5, base256: true }));
  assert.deepEqual(sizes, [9 * 2 ** 30 + 5]);
  assert.throws(() => reader.finish(), corrupt);
});

test("a damaged header and a cut archive are refused", () => {
  const archive = file({ name: "f" }, Buffer.from("content"));
  for (const cut of [1, 511, 513, 1023])
    assert.throws(() => read(archive.subarray(0, cut)), corrupt);
  for (const at of [0, 100, 124, 156, 400]) {
    const damaged = Buffer.from(archive);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    assert.throws(() => read(damaged), corrupt);
  }
});

test("names that lead out of the directory are refused", () => {
  const options = { code: "BACKUP_CORRUPT", source: "an archive" } as const;
  for (const name of ["/etc/passwd", "../x", "a/../../x", "a/..", "a\0b", "a\uFFFDb"])
    assert.throws(() => tarPath(name, options), corrupt);
  assert.equal(tarPath("./a//b/./c", options), "a/b/c");
  assert.equal(tarPath("./", options), "");
  assert.equal(tarPath("a/..b/c..", options), "a/..b/c..");
});
