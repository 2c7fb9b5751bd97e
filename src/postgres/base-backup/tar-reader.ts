// A push reader for tar archives: bytes in, entries out. Reads what PostgreSQL's BASE_BACKUP writes
// (plain ustar, sizes beyond 8 GiB in base 256) and what npm packs (pax headers and GNU long names
// too). No I/O: the caller decides where the bytes go, and must pass every name through `tarPath`
// before it touches a disk.
import { type ErrorCode, UnderstudyError } from "../../core/errors.ts";

export interface TarEntry {
  /** As the archive has it, without trailing slashes; not yet safe, see `tarPath`. */
  readonly name: string;
  readonly type: "file" | "directory" | "symlink" | "hardlink" | "other";
  /** Bytes of data that follow. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Target of a link, else "". */
  readonly linkName: string;
}

export interface TarHandler {
  /** An entry begins. */
  entry(entry: TarEntry): void;
  /**
   * The next bytes of the entry: a view into what was fed, never empty; as long valid as that is.
   */
  data(chunk: Uint8Array, entry: TarEntry): void;
  /** All bytes of the entry have been given. */
  end(entry: TarEntry): void;
}

export interface TarReaderOptions {
  readonly handler: TarHandler;
  /** Code of the errors thrown, for example BACKUP_CORRUPT or DOWNLOAD_CORRUPT. */
  readonly code: ErrorCode;
  /** What is being read, for messages: "base.tar of the base backup". */
  readonly source: string;
}

const BLOCK = 512;
/** Longest pax header or long name that is taken into memory. */
const META_LIMIT = 1 << 20;

const TYPES: Readonly<Record<string, TarEntry["type"]>> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "5": "directory",
};

/** What the next header is told by a pax header or a GNU long name before it. */
interface Overrides {
  path?: string;
  linkpath?: string;
  size?: number;
}

interface Meta {
  readonly kind: "x" | "L" | "K" | "ignored";
  readonly parts: Uint8Array[];
}

/**
 * Feed it bytes in any portions; the callbacks come in the archive's order, whatever the portions.
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #options: TarReaderOptions;
  readonly #block = Buffer.alloc(BLOCK);
  #blockFilled = 0;
  #entry: TarEntry | null = null;
  #meta: Meta | null = null;
  #overrides: Overrides = {};
  /** Bytes of data, then of padding, still to come. */
  #dataLeft = 0;
  #paddingLeft = 0;

  constructor(options: TarReaderOptions) {
    this.#handler = options.handler;
    this.#options = options;
  }

  /** @throws UnderstudyError with the given code when the bytes are no tar archive. */
  feed(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#dataLeft > 0) offset += this.#takeData(chunk, offset);
      else if (this.#paddingLeft > 0) {
        const skipped = Math.min(this.#paddingLeft, chunk.length - offset);
        this.#paddingLeft -= skipped;
        offset += skipped;
      } else offset += this.#takeHeader(chunk, offset);
    }
  }

  /**
   * Says that no more comes. The two closing blocks may be missing: PostgreSQL up to 14 leaves them
   * out.
   */
  finish(): void {
    if (this.#blockFilled > 0 || this.#dataLeft > 0 || this.#paddingLeft > 0)
      throw this.#error("the archive ends in the middle of an entry");
  }

  #takeData(chunk: Uint8Array, offset: number): number {
    const length = Math.min(this.#dataLeft, chunk.length - offset);
    const piece = chunk.subarray(offset, offset + length);
    this.#dataLeft -= length;
    if (this.#meta) this.#meta.parts.push(piece.slice());
    else if (this.#entry) this.#handler.data(piece, this.#entry);
    if (this.#dataLeft === 0) this.#endEntry();
    return length;
  }

  #takeHeader(chunk: Uint8Array, offset: number): number {
    const length = Math.min(BLOCK - this.#blockFilled, chunk.length - offset);
    this.#block.set(chunk.subarray(offset, offset + length), this.#blockFilled);
    this.#blockFilled += length;
    if (this.#blockFilled === BLOCK) {
      this.#blockFilled = 0;
      if (this.#block.some((byte) => byte !== 0)) this.#begin();
    }
    return length;
  }

  #begin(): void {
    const block = this.#block;
    this.#checkSum(block);
    const flag = String.fromCharCode(block[156] ?? 0);
    const isMeta = flag === "x" || flag === "g" || flag === "L" || flag === "K";
    const size = isMeta ? this.#number(124, 136) : (this.#overrides.size ?? this.#number(124, 136));
    if (isMeta) this.#beginMeta(flag, size);
    else this.#beginEntry(flag, size);
    this.#dataLeft = size;
    this.#paddingLeft = (BLOCK - (size % BLOCK)) % BLOCK;
    if (size === 0) this.#endEntry();
  }

  #beginMeta(flag: "x" | "g" | "L" | "K", size: number): void {
    if (size > META_LIMIT) throw this.#error(`a header of ${size} bytes is too long`);
    this.#meta = { kind: flag === "g" ? "ignored" : flag, parts: [] };
  }

  #beginEntry(flag: string, size: number): void {
    const written = this.#overrides.path ?? this.#ustarName();
    const name = written.replace(/\/+$/, "");
    const type = TYPES[flag] ?? "other";
    this.#entry = {
      name,
      // Before ustar a directory was a file whose name ends in a slash.
      type: type === "file" && written.endsWith("/") ? "directory" : type,
      size,
      mode: this.#number(100, 108) & 0o7777,
      linkName: this.#overrides.linkpath ?? this.#text(157, 257),
    };
    this.#overrides = {};
    this.#handler.entry(this.#entry);
  }

  #endEntry(): void {
    if (this.#meta) {
      this.#takeMeta(this.#meta);
      this.#meta = null;
    } else if (this.#entry) {
      const entry = this.#entry;
      this.#entry = null;
      this.#handler.end(entry);
    }
  }

  #takeMeta(meta: Meta): void {
    const bytes = Buffer.concat(meta.parts);
    if (meta.kind === "L") this.#overrides.path = untilNul(bytes);
    else if (meta.kind === "K") this.#overrides.linkpath = untilNul(bytes);
    else if (meta.kind === "x")
      for (const [key, value] of this.#paxRecords(bytes)) {
        if (key === "path") this.#overrides.path = value;
        else if (key === "linkpath") this.#overrides.linkpath = value;
        else if (key === "size") this.#overrides.size = this.#paxSize(value);
      }
  }

  /** Records are "LENGTH KEY=VALUE\n", the length counting itself. */
  *#paxRecords(bytes: Buffer): Generator<[key: string, value: string]> {
    let offset = 0;
    while (offset < bytes.length) {
      const space = bytes.indexOf(0x20, offset);
      const length = Number(bytes.toString("latin1", offset, space));
      const record = bytes.toString("utf8", space + 1, offset + length - 1);
      const equals = record.indexOf("=");
      if (space < 0 || !(length > 0) || offset + length > bytes.length || equals < 0)
        throw this.#error("a pax header is malformed");
      yield [record.slice(0, equals), record.slice(equals + 1)];
      offset += length;
    }
  }

  #paxSize(value: string): number {
    const size = Number(value);
    if (!/^\d+$/.test(value) || !Number.isSafeInteger(size))
      throw this.#error(`"${value}" is no size`);
    return size;
  }

  #ustarName(): string {
    const name = this.#text(0, 100);
    // GNU's own format ("ustar  ") has other fields where POSIX has the prefix.
    const prefix =
      this.#block.toString("latin1", 257, 263) === "ustar\0" ? this.#text(345, 500) : "";
    return prefix === "" ? name : `${prefix}/${name}`;
  }

  #text(from: number, to: number): string {
    return untilNul(this.#block.subarray(from, to));
  }

  /** Octal text, or base 256 when the first bit is set (a size beyond 8 GiB). */
  #number(from: number, to: number): number {
    const field = this.#block.subarray(from, to);
    const first = field[0] ?? 0;
    let value: number;
    if (first & 0x80) {
      let big = BigInt(first & 0x7f);
      for (const byte of field.subarray(1)) big = (big << 8n) | BigInt(byte);
      value = big > BigInt(Number.MAX_SAFE_INTEGER) ? Number.NaN : Number(big);
    } else {
      const text = untilNul(field).trim();
      value = /^[0-7]*$/.test(text) ? Number.parseInt(text || "0", 8) : Number.NaN;
    }
    if (Number.isNaN(value)) throw this.#error("a header holds a number that cannot be read");
    return value;
  }

  #checkSum(block: Buffer): void {
    // The sum counts its own field as eight spaces.
    let sum = 8 * 0x20;
    for (let index = 0; index < BLOCK; index++)
      if (index < 148 || index >= 156) sum += block[index] ?? 0;
    if (sum !== this.#number(148, 156)) throw this.#error("a header's checksum is wrong");
  }

  #error(reason: string): UnderstudyError {
    return new UnderstudyError(
      this.#options.code,
      `cannot read ${this.#options.source}: ${reason}`,
    );
  }
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

/**
 * The entry's name as a relative path with no way out of the directory that it is unpacked into; ""
 * for that directory itself.
 * @throws UnderstudyError with `options.code` for absolute names, "..", and characters that no name
 * has.
 */
export function tarPath(name: string, options: { code: ErrorCode; source: string }): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  // U+FFFD is what a name that is not UTF-8 turns into: it would be written under another name.
  if (name.startsWith("/") || parts.includes("..") || /[\0\uFFFD]/.test(name))
    throw new UnderstudyError(
      options.code,
      `cannot unpack ${options.source}: the name ${JSON.stringify(name)} is not a safe relative path`,
    );
  return parts.join("/");
}
