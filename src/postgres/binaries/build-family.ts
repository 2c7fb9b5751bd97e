// Which build a postgres program is, read off its file: what decides how text sorts and how data
// lies on disk. Nothing is run for it, so that it says the same of a program that cannot start
// here.
//
// The family holds what may not change under a data directory beyond its major: the architecture,
// the C library and ICU's major version, because the order of an index follows the last two (lesson
// table 2, row 18). It leaves out what an ordinary package upgrade changes: the minor version, the
// builder's name, the paths. The version of glibc is the machine's, the same for every build on it;
// PostgreSQL itself warns when that changes.
import { readFile } from "node:fs/promises";

const ELF_MACHINES: Readonly<Record<number, string>> = {
  3: "ia32",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x64",
  183: "arm64",
  243: "riscv64",
  258: "loong64",
};
const MACH_O_CPUS: Readonly<Record<number, string>> = { 0x01000007: "x64", 0x0100000c: "arm64" };
const MACH_O_64 = 0xfeedfacf;
const MACH_O_UNIVERSAL = 0xcafebabe;

/**
 * @returns "linux-glibc-x64-icu72", "darwin-arm64-noicu" …
 * @throws the file system's error when the program cannot be read.
 */
export async function buildFamily(postgresPath: string): Promise<string> {
  return describeBuild(await readFile(postgresPath), process.arch);
}

/** As buildFamily, of a program's bytes. A universal macOS program runs as `processArch`. */
export function describeBuild(program: Buffer, processArch: string): string {
  return [...platformOf(program, processArch), icuOf(program)].join("-");
}

function platformOf(program: Buffer, processArch: string): readonly string[] {
  if (program.length < 20) return ["unknown"];
  if (program.readUInt32BE(0) === 0x7f454c46) {
    const littleEndian = program[5] === 1;
    const machine = littleEndian ? program.readUInt16LE(18) : program.readUInt16BE(18);
    const arch = ELF_MACHINES[machine] ?? `machine${machine}`;
    // The program interpreter's path stands near the beginning: /lib/ld-musl-x86_64.so.1 or
    // /lib64/ld-linux….
    const libc = program.subarray(0, 8192).includes("/ld-musl-") ? "musl" : "glibc";
    return ["linux", libc, littleEndian || arch !== "ppc64" ? arch : "ppc64be"];
  }
  if (program.readUInt32LE(0) === MACH_O_64) {
    const cpu = program.readUInt32LE(4);
    return ["darwin", MACH_O_CPUS[cpu] ?? `cpu${cpu}`];
  }
  if (program.readUInt32BE(0) === MACH_O_UNIVERSAL) return ["darwin", processArch];
  return ["unknown"];
}

/**
 * The names of the libraries that a program needs stand in it as text, on Linux and macOS alike.
 */
function icuOf(program: Buffer): string {
  const major =
    numberAfter(program, "libicui18n.so.") ??
    numberAfter(program, "libicui18n.") ??
    numberAfter(program, "ucol_open_");
  if (major !== undefined) return `icu${major}`;
  return program.includes("libicucore") ? "icucore" : "noicu";
}

function numberAfter(program: Buffer, name: string): string | undefined {
  for (let at = program.indexOf(name); at >= 0; at = program.indexOf(name, at + 1)) {
    const number = /^\d+/.exec(program.toString("latin1", at + name.length, at + name.length + 4));
    if (number !== null) return number[0];
  }
  return undefined;
}
