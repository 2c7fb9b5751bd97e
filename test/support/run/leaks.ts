// What a test file left behind: processes that still work inside of its temporary directory (their
// working directory or an argument is there), and the files in it. Every test file gets such a
// directory as TMPDIR.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * One sentence per leak; none when the file tidied up. Linux tells about processes; elsewhere only
 * files are found.
 */
export function leaksIn(directory: string): readonly string[] {
  const files = readdirSync(directory).map((name) => `left behind: the file ${directory}/${name}`);
  return [
    ...processesIn(directory).map(({ pid, what }) => `left behind: process ${pid} (${what})`),
    ...files,
  ];
}

/** The processes that work inside of a directory. */
export function processesIn(directory: string): readonly { pid: number; what: string }[] {
  const found = [];
  for (const name of processNames()) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = commandLineOf(pid);
    if (isInside(directory, workingDirectoryOf(pid)) || command.includes(`${directory}/`))
      found.push({ pid, what: command.replaceAll("\0", " ").trim() });
  }
  return found;
}

function isInside(directory: string, path: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

function processNames(): readonly string[] {
  try {
    return readdirSync("/proc");
  } catch {
    return [];
  }
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has just ended
  }
}

function workingDirectoryOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return ""; // it has just ended, or belongs to somebody else
  }
}
