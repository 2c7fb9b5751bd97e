// What a directory holds, without starting or changing anything: a server's data, something else,
// or nothing, and what would keep PostgreSQL from using it.
import type { Stats } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf } from "../core/errors.ts";
import { isMajor, type Major } from "../core/spec.ts";
import { readControlData, type ControlData } from "./control-data.ts";
import { readPostmasterPid, type PostmasterPid } from "./postmaster-pid.ts";

export type DataDirectory =
  | { readonly kind: "absent" }
  | { readonly kind: "empty"; readonly problems: readonly string[] }
  | PostgresDirectory
  /** Not empty, and no data of a PostgreSQL that Understudy knows. */
  | {
      readonly kind: "foreign";
      /** Up to three names that are in it; none when it cannot be listed. */
      readonly entries: readonly string[];
      readonly problems: readonly string[];
    };

export interface PostgresDirectory {
  readonly kind: "data";
  readonly major: Major;
  /** Null when it is damaged or missing; `problems` says which. */
  readonly control: ControlData | null;
  /**
   * Of a server that runs or was killed; null when there is no such file, or it is not yet
   * complete.
   */
  readonly postmasterPid: PostmasterPid | null;
  /** What makes the server start as a standby, or recover from an archive. */
  readonly recovery: "standby.signal" | "recovery.signal" | "recovery.conf" | null;
  /**
   * A base backup's copy that has never been started: its pg_control alone is not to be trusted.
   */
  readonly hasBackupLabel: boolean;
  /** Why PostgreSQL would refuse it: its owner, its mode, a damaged file. One sentence each. */
  readonly problems: readonly string[];
}

/** Directories beginning with 10 may be 0700 only; since 11 their group may read. */
const FORBIDDEN_BITS_10 = 0o077;
const FORBIDDEN_BITS = 0o027;
const SHOWN_ENTRIES = 3;

/**
 * @param options `uid`: the user that PostgreSQL will run as; ours when left out.
 * @throws nothing that the directory's state causes: what is wrong stands in `problems`.
 */
export async function inspectDataDirectory(
  dir: string,
  options: { uid?: number } = {},
): Promise<DataDirectory> {
  const uid = options.uid ?? process.getuid?.() ?? 0;
  const found = await lookAt(dir);
  if (found.kind !== "listed") return found;
  const { entries, stats } = found;
  const owner = ownerProblems({ dir, stats, uid });
  if (entries.length === 0) return { kind: "empty", problems: owner };
  const version = entries.includes("PG_VERSION") ? await versionOf(dir) : null;
  if (version === null || !isMajor(version.major)) {
    const held = version === null ? [] : [`${dir} holds data of PostgreSQL ${version.text}`];
    const shown = entries.toSorted().slice(0, SHOWN_ENTRIES);
    return { kind: "foreign", entries: shown, problems: [...held, ...mountHint(dir, entries)] };
  }
  const { major } = version;
  const { control, problems } = await controlOf(dir);
  return {
    kind: "data",
    major,
    control,
    postmasterPid: await readPostmasterPid(dir),
    recovery: recoveryFileIn(entries, major),
    hasBackupLabel: entries.includes("backup_label"),
    problems: [...owner, ...modeProblems({ dir, mode: stats.mode, major }), ...problems],
  };
}

type Looked =
  | Extract<DataDirectory, { kind: "absent" | "foreign" }>
  | { readonly kind: "listed"; readonly entries: readonly string[]; readonly stats: Stats };

async function lookAt(dir: string): Promise<Looked> {
  try {
    const stats = await stat(dir);
    return { kind: "listed", entries: await readdir(dir), stats };
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return { kind: "absent" };
    const problem =
      codeOf(thrown) === "ENOTDIR"
        ? `${dir} is no directory`
        : `${dir} cannot be read: ${messageOf(thrown)}`;
    return { kind: "foreign", entries: [], problems: [problem] };
  }
}

function ownerProblems(of: { dir: string; stats: Stats; uid: number }): string[] {
  const { dir, stats, uid } = of;
  return stats.uid === uid
    ? []
    : [`${dir} belongs to user ${stats.uid}, and PostgreSQL would run as user ${uid}`];
}

function modeProblems(of: { dir: string; mode: number; major: Major }): string[] {
  const mode = of.mode & 0o777;
  const forbidden = of.major === 10 ? FORBIDDEN_BITS_10 : FORBIDDEN_BITS;
  if ((mode & forbidden) === 0) return [];
  const allowed = of.major === 10 ? "0700" : "0700 or 0750";
  return [
    `${of.dir} has mode ${mode.toString(8).padStart(4, "0")}, and PostgreSQL ${of.major} wants ${allowed} at most`,
  ];
}

/** A fresh file system has this directory, and initdb refuses it. */
function mountHint(dir: string, entries: readonly string[]): string[] {
  return entries.length === 1 && entries[0] === "lost+found"
    ? [`${dir} is the root of a file system; use a directory below it`]
    : [];
}

/** "15" or "9.6"; null when the file says nothing such. */
async function versionOf(dir: string): Promise<{ major: number; text: string } | null> {
  const text = await readFile(join(dir, "PG_VERSION"), "utf8").then(
    (read) => read.trim(),
    () => "",
  );
  return /^\d+(\.\d+)?$/.test(text) ? { major: Number(text), text } : null;
}

async function controlOf(
  dir: string,
): Promise<{ control: ControlData | null; problems: readonly string[] }> {
  try {
    return { control: await readControlData(dir), problems: [] };
  } catch (thrown) {
    return { control: null, problems: [messageOf(thrown)] };
  }
}

function recoveryFileIn(entries: readonly string[], major: Major): PostgresDirectory["recovery"] {
  if (major < 12) return entries.includes("recovery.conf") ? "recovery.conf" : null;
  if (entries.includes("standby.signal")) return "standby.signal";
  return entries.includes("recovery.signal") ? "recovery.signal" : null;
}
