// The program of the init container, `bring DIR`: copies the agent, with the Node, the loader and
// the libraries that it runs on, out of our image into a volume that it shares with PostgreSQL's
// own container. No command for people.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { codeOf, messageOf } from "../core/errors.ts";

/** What PostgreSQL's container starts. As long as it is not there, nothing is. */
const ENTRY = "agent";
/** Of no use where it is brought to. */
const LEFT_OUT = ["bring"];
const STAGING = ".bringing";

/** @param args the volume's directory. @returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const [to] = args;
  if (to === undefined || args.length > 1) {
    process.stderr.write("bring needs one directory: where to\n");
    return 2;
  }
  const begun = performance.now();
  try {
    // The same relative place from src/cli and from dist/cli.
    const { files, bytes } = bring(fileURLToPath(new URL("../..", import.meta.url)), to);
    const durationMs = Math.round(performance.now() - begun);
    const message = `Brought the agent to ${to}.`;
    tell({ level: "info", event: "agent-brought", message, details: { files, bytes, durationMs } });
    return 0;
  } catch (thrown) {
    const message = `cannot bring the agent to ${to}: ${whyNot(thrown)}`;
    tell({ level: "error", event: "agent-not-brought", message });
    return 1;
  }
}

interface Brought {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Always all of it, anew: after a crash of the node the volume may hold files that were never
 * written out. What is there from an earlier time is replaced piece by piece, the entry last.
 */
export function bring(from: string, to: string): Brought {
  const staging = join(to, STAGING);
  rmSync(staging, { recursive: true, force: true });
  try {
    const brought = copyTree(from, { to: staging, leftOut: LEFT_OUT });
    rmSync(join(to, ENTRY), { force: true });
    const names = readdirSync(staging).filter((name) => name !== ENTRY);
    for (const name of [...names, ENTRY]) {
      rmSync(join(to, name), { recursive: true, force: true });
      renameSync(join(staging, name), join(to, name));
    }
    return brought;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

function copyTree(
  from: string,
  { to, leftOut }: { to: string; leftOut: readonly string[] },
): Brought {
  mkdirSync(to);
  chmodSync(to, 0o755);
  let [files, bytes] = [0, 0];
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (leftOut.includes(entry.name)) continue;
    if (entry.isDirectory()) {
      const below = copyTree(source, { to: target, leftOut: [] });
      files += below.files;
      bytes += below.bytes;
    } else {
      copyFileSync(source, target);
      files += 1;
      bytes += statSync(target).size;
    }
  }
  return { files, bytes };
}

function whyNot(thrown: unknown): string {
  const code = codeOf(thrown);
  if (code === "ENOSPC" || code === "EDQUOT") return "no space is left; it needs 150 MB";
  if (code === "ENOENT" || code === "ENOTDIR") return "it is no directory";
  if (code === "EACCES" || code === "EPERM")
    return `user ${process.getuid?.()} may not write there; the pod's fsGroup must be its group`;
  if (code === "EROFS") return "it is mounted read-only";
  return messageOf(thrown);
}

/** As the agent writes its log. */
function tell(entry: { level: string; event: string; message: string; details?: object }): void {
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`);
}
