// The shared libraries that a program needs, with those that they need, from where the system's own
// loader would take them.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { neededLibraries } from "./elf.ts";

export interface SharedLibrary {
  /** As it is asked for: "libc.so.6". */
  readonly name: string;
  readonly bytes: Buffer;
}

/** Where Debian and the distributions that come of it keep those of an architecture. */
export function libraryDirectories(architecture: "amd64" | "arm64"): string[] {
  const triplet = { amd64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[architecture];
  return [`/lib/${triplet}`, `/usr/lib/${triplet}`, "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
}

/**
 * @param program an ELF file's bytes. @returns by name.
 * @throws Error that names what is not there.
 */
export function sharedLibraries(program: Buffer, directories: readonly string[]): SharedLibrary[] {
  const found = new Map<string, Buffer>();
  const look = (file: Buffer) => {
    for (const name of neededLibraries(file)) {
      if (found.has(name)) continue;
      const bytes = readFileSync(findLibrary(name, directories));
      found.set(name, bytes);
      look(bytes);
    }
  };
  look(program);
  return [...found.keys()].sort().map((name) => ({ name, bytes: found.get(name) ?? Buffer.of() }));
}

function findLibrary(name: string, directories: readonly string[]): string {
  const path = directories.map((each) => join(each, name)).find((each) => existsSync(each));
  if (path === undefined)
    throw new Error(
      `the shared library ${name} is in none of ${directories.join(", ")}: ` +
        "the image is built on a Debian, or on another system with glibc, of its architecture",
    );
  return realpathSync(path);
}
