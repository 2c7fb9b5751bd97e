// ELF files, as far as it takes to carry a program along with its own loader and libraries: which
// libraries it needs, and a copy of it that names the loader and the place of the libraries. 64-bit
// little-endian files only: amd64 and arm64.

/** Of elf.h. */
const SEGMENT = { load: 1, dynamic: 2, interpreter: 3 } as const;
const TAG = { end: 0n, needed: 1n, stringTable: 5n, searchPath: 15n } as const;
const WRITABLE = 2;
const DYNAMIC_ENTRY_BYTES = 16;
/** The smallest page of either architecture: what lies behind a segment in its page is mapped. */
const PAGE_BYTES = 4096;

interface Segment {
  /** Where its header is in the file. */
  readonly header: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileBytes: number;
  readonly memoryBytes: number;
}

/** The names of the libraries that a program or library was linked with, such as "libc.so.6". */
export function neededLibraries(file: Buffer): string[] {
  const segments = segmentsOf(file);
  const entries = dynamicEntries(file, segments);
  const table = entries.find(({ tag }) => tag === TAG.stringTable);
  if (table === undefined) return [];
  const strings = offsetOf(segments, table.value);
  return entries
    .filter(({ tag }) => tag === TAG.needed)
    .map(({ value }) => textAt(file, strings + Number(value)));
}

/**
 * A copy of a dynamically linked program that is started by a loader of its own and looks for its
 * libraries in a directory of its own first, before LD_LIBRARY_PATH (so DT_RPATH and not
 * DT_RUNPATH). Its symbol table and section headers, which are for debuggers, are left out.
 *
 * Nothing in it moves: the name of the loader takes the place of the old one, the search path goes
 * into the padding behind a segment, and an entry of the dynamic section that was left free names
 * it.
 *
 * @throws Error when the program has no room for one of them.
 */
export function carriedProgram(
  program: Buffer,
  { loader, libraries }: { loader: string; libraries: string },
): Buffer {
  const file = Buffer.from(program);
  const segments = segmentsOf(file);
  nameLoader(file, segments, loader);
  const path = placeText(file, segments, libraries);
  const entries = dynamicEntries(file, segments);
  const strings = entries.find(({ tag }) => tag === TAG.stringTable);
  const free = entries.find(({ tag }) => tag === TAG.end);
  // One more has to stay behind it, as the end.
  const next = entries[entries.findIndex((entry) => entry === free) + 1];
  if (strings === undefined || free === undefined || next?.tag !== TAG.end)
    throw new Error("the program's dynamic section has no entry to spare for a search path");
  file.writeBigUInt64LE(TAG.searchPath, free.at);
  file.writeBigUInt64LE(path - strings.value, free.at + 8);
  return withoutSections(file, segments);
}

function nameLoader(file: Buffer, segments: readonly Segment[], loader: string): void {
  const named = segments.find(({ type }) => type === SEGMENT.interpreter);
  if (named === undefined) throw new Error("the program is not dynamically linked");
  if (loader.length >= named.fileBytes)
    throw new Error(
      `the program has room for a loader's name of ${named.fileBytes - 1} characters`,
    );
  file.fill(0, named.offset, named.offset + named.fileBytes);
  file.write(loader, named.offset, "latin1");
}

/** @returns the address of the text, which ends in a zero byte, in the running program. */
function placeText(file: Buffer, segments: readonly Segment[], text: string): bigint {
  const bytes = Buffer.from(`${text}\0`, "latin1");
  const host = segments.find((segment) => isRoomBehind(segment, { file, bytes: bytes.length }));
  if (host === undefined) throw new Error("the program has no padding with room for a search path");
  const { offset, fileBytes, address, header } = host;
  bytes.copy(file, offset + fileBytes);
  const grown = BigInt(fileBytes + bytes.length);
  file.writeBigUInt64LE(grown, header + 32);
  file.writeBigUInt64LE(grown, header + 40);
  return address + BigInt(fileBytes);
}

/** Behind a writable segment is the program's zeroed memory. */
function isRoomBehind(
  { type, flags, offset, fileBytes, memoryBytes }: Segment,
  { file, bytes }: { file: Buffer; bytes: number },
): boolean {
  const end = offset + fileBytes;
  return (
    type === SEGMENT.load &&
    (flags & WRITABLE) === 0 &&
    fileBytes === memoryBytes &&
    Math.floor((end - 1) / PAGE_BYTES) === Math.floor((end + bytes - 1) / PAGE_BYTES) &&
    file.subarray(end, end + bytes).every((byte) => byte === 0)
  );
}

function withoutSections(file: Buffer, segments: readonly Segment[]): Buffer {
  const ends = segments
    .filter(({ type }) => type === SEGMENT.load)
    .map(({ offset, fileBytes }) => offset + fileBytes);
  // Where the section headers are, of what size, how many, and which has their names.
  file.fill(0, 40, 48);
  file.fill(0, 58, 64);
  return file.subarray(0, Math.max(...ends));
}

function segmentsOf(file: Buffer): Segment[] {
  const isElf = file.length > 64 && file.readUInt32BE(0) === 0x7f_45_4c_46;
  if (!isElf || file[4] !== 2 || file[5] !== 1)
    throw new Error("the file is no 64-bit little-endian ELF file");
  const start = Number(file.readBigUInt64LE(32));
  const [bytes, count] = [file.readUInt16LE(54), file.readUInt16LE(56)];
  return Array.from({ length: count }, (_, index) => {
    const header = start + index * bytes;
    return {
      header,
      type: file.readUInt32LE(header),
      flags: file.readUInt32LE(header + 4),
      offset: Number(file.readBigUInt64LE(header + 8)),
      address: file.readBigUInt64LE(header + 16),
      fileBytes: Number(file.readBigUInt64LE(header + 32)),
      memoryBytes: Number(file.readBigUInt64LE(header + 40)),
    };
  });
}

function dynamicEntries(
  file: Buffer,
  segments: readonly Segment[],
): { at: number; tag: bigint; value: bigint }[] {
  const section = segments.find(({ type }) => type === SEGMENT.dynamic);
  if (section === undefined) return [];
  const { offset, fileBytes } = section;
  return Array.from({ length: fileBytes / DYNAMIC_ENTRY_BYTES }, (_, index) => {
    const at = offset + index * DYNAMIC_ENTRY_BYTES;
    return { at, tag: file.readBigUInt64LE(at), value: file.readBigUInt64LE(at + 8) };
  });
}

function offsetOf(segments: readonly Segment[], address: bigint): number {
  const found = segments.find(
    (each) =>
      each.type === SEGMENT.load &&
      address >= each.address &&
      address < each.address + BigInt(each.fileBytes),
  );
  if (found === undefined) throw new Error(`no segment of the file has the address ${address}`);
  return found.offset + Number(address - found.address);
}

function textAt(file: Buffer, offset: number): string {
  return file.toString("latin1", offset, file.indexOf(0, offset));
}
