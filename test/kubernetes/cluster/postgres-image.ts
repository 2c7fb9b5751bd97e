// An image with PostgreSQL as the system has it installed: its programs, the libraries that they
// need, time zones, and the shell that it runs restore_command with.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { libraryDirectories, sharedLibraries } from "../../../image/shared-libraries.ts";
import { completeTree, file, program, type Entry } from "../../../image/tree.ts";

export const SERVER_PROGRAMS = "/usr/lib/postgresql/15/bin";
export const BUSYBOX = "/bin/busybox";
const SERVER_LIBRARIES = "/usr/lib/postgresql/15/lib";
const SHARED = ["/usr/share/postgresql/15", "/usr/share/zoneinfo"];
/** It needs a compiler of 100 MB, and without it a server compiles no queries. */
const LEFT_OUT = /\/(llvmjit.*|bitcode|pgxs|man|right|posix)(\/|$)/;
const TRIPLETS: Readonly<Record<string, string>> = {
  x64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
};
const COMMANDS = ["sh", "cp", "mv", "rm", "ls", "cat", "test", "sleep", "env", "id", "ps"];
/** As in the official images. */
const PASSWD = "root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n";

export function postgresEntries(): Entry[] {
  const own = [SERVER_PROGRAMS, SERVER_LIBRARIES, ...SHARED].flatMap(filesOf);
  return completeTree([
    ...own,
    ...librariesOf(own),
    program("usr/bin/busybox", readFileSync(BUSYBOX)),
    ...COMMANDS.map((name): Entry => ({
      kind: "link",
      path: `usr/bin/${name}`,
      target: "busybox",
    })),
    // As Debian has it.
    ...["bin", "lib", "lib64"].map((name): Entry => ({
      kind: "link",
      path: name,
      target: `usr/${name}`,
    })),
    file("etc/passwd", PASSWD),
    file("etc/group", "root:x:0:\npostgres:x:999:\n"),
    { kind: "directory", path: "tmp", mode: 0o1777 },
    ...["proc", "sys", "dev", "run", "var/run", "opt", "etc/understudy"].map((path): Entry => ({
      kind: "directory",
      path,
      mode: 0o755,
    })),
  ]);
}

/** Links are followed: what is behind them may not be in the image. */
function filesOf(directory: string): Entry[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => !LEFT_OUT.test(path) && existsSync(path))
    .flatMap((path) => {
      const stats = statSync(path);
      if (!stats.isFile()) return [];
      const make = (stats.mode & 0o100) === 0 ? file : program;
      return [make(path.slice(1), readFileSync(path))];
    });
}

function librariesOf(entries: readonly Entry[]): Entry[] {
  const triplet = TRIPLETS[process.arch] ?? "";
  const directories = libraryDirectories(process.arch === "arm64" ? "arm64" : "amd64");
  const found = new Map<string, Buffer>();
  for (const entry of entries)
    if (entry.kind === "file" && isElf(entry.bytes))
      for (const { name, bytes } of sharedLibraries(entry.bytes, directories))
        found.set(name, bytes);
  return [...found].map(([name, bytes]) =>
    program(
      name.startsWith("ld-linux") ? `${loaderDirectory()}/${name}` : `usr/lib/${triplet}/${name}`,
      bytes,
    ),
  );
}

/** Where programs of the architecture look for it, through the link. */
function loaderDirectory(): string {
  return process.arch === "arm64" ? "usr/lib" : "usr/lib64";
}

function isElf(bytes: Buffer): boolean {
  return bytes.length > 4 && bytes.readUInt32BE(0) === 0x7f454c46;
}
