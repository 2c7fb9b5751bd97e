// Whether the volume that a pod has mounted is its member's to use: its agent may write there, the
// data is of the user that it runs as, and no other member, nor another build of PostgreSQL, has
// been there. Each is told in one sentence, before anything is touched.
import { randomBytes } from "node:crypto";
import { access, constants, link, mkdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { codeOf, messageOf, UnderstudyError } from "../core/errors.ts";
import type { Installation } from "../postgres/installation.ts";
import { syncDirectory } from "../postgres/sync-directory.ts";
import { writeWhole } from "../postgres/write-whole.ts";
import type { MemberPaths } from "./member-paths.ts";

export interface VolumeUse {
  readonly cluster: string;
  readonly member: string;
  readonly paths: Pick<MemberPaths, "root" | "data">;
  readonly installation: Pick<Installation, "family" | "major">;
  /** Who runs here. */
  readonly uid: number;
}

/** Beside the data: whose it is, and what made it. */
export const VOLUME_OWNER = "owner.json";

const ownerSchema = v.object({
  cluster: v.string(),
  member: v.string(),
  major: v.number(),
  /**
   * "glibc" or "musl": they sort text in different orders, and so do the indexes that they made.
   */
  libc: v.string(),
});
type VolumeOwner = v.InferOutput<typeof ownerSchema>;

/**
 * Writes but where nobody has been: a member whose volume is full is to come up all the same.
 * @throws UnderstudyError DIRECTORY_NOT_WRITABLE, DIRECTORY_OTHER_CLUSTER, BINARIES_DIFFER,
 * DISK_FULL.
 */
export async function requireOwnVolume(use: VolumeUse): Promise<void> {
  await requireWritable(use);
  await requireOwnUser(use);
  const wanted = ownerOf(use);
  const path = join(use.paths.root, VOLUME_OWNER);
  const text = (await readOwner(path)) ?? (await writeFirst(path, wanted));
  const found = parseOwner(path, text);
  if (found.cluster !== wanted.cluster || found.member !== wanted.member)
    throw new UnderstudyError(
      "DIRECTORY_OTHER_CLUSTER",
      `the volume of ${use.member} has the data of ${found.member} of the cluster ${found.cluster}; nothing was changed`,
      {
        hint: `Give each member a claim or a subPath of its own; where this one is meant, delete ${VOLUME_OWNER} from the volume.`,
      },
    );
  if (found.libc !== wanted.libc)
    throw new UnderstudyError(
      "BINARIES_DIFFER",
      `the data of ${use.member} was made with ${found.libc}, and the image's PostgreSQL is built with ${wanted.libc}: they sort text differently, and its indexes would miss rows`,
      { hint: `Name an image that is built with ${found.libc} in spec.postgres.image.` },
    );
  if (found.major !== wanted.major)
    throw new UnderstudyError(
      "BINARIES_DIFFER",
      `the data of ${use.member} is of PostgreSQL ${found.major}, and the image has ${wanted.major}`,
      { hint: `Name an image of PostgreSQL ${found.major} in spec.postgres.image.` },
    );
}

async function requireWritable({ member, paths, uid }: VolumeUse): Promise<void> {
  try {
    await mkdir(paths.root, { recursive: true, mode: 0o700 });
    await access(paths.root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    if (isFull(cause)) throw diskFull(paths.root, cause);
    const owner = await stat(paths.root).catch(() => null);
    const whose = owner === null ? "" : `; it belongs to user ${owner.uid}`;
    throw new UnderstudyError(
      "DIRECTORY_NOT_WRITABLE",
      `the volume of ${member} cannot be written by user ${uid}, who PostgreSQL runs as (${codeOf(cause) ?? messageOf(cause)})${whose}`,
      {
        cause,
        hint: remedyFor({ uid, path: "the volume's directory", owner: owner?.uid ?? null }),
      },
    );
  }
}

/** PostgreSQL itself starts with no other's data. */
async function requireOwnUser({ member, paths, uid }: VolumeUse): Promise<void> {
  const data = await stat(paths.data).catch(() => null);
  if (data === null || data.uid === uid) return;
  throw new UnderstudyError(
    "DIRECTORY_NOT_WRITABLE",
    `the data of ${member} belongs to user ${data.uid}, and PostgreSQL runs as user ${uid}`,
    { hint: remedyFor({ uid, path: "the data", owner: data.uid }) },
  );
}

function remedyFor(of: { uid: number; path: string; owner: number | null }): string {
  const { uid, path, owner } = of;
  const orSay = owner === null || owner === 0 ? "" : `, or say spec.postgres.uid: ${owner}`;
  return `Give ${path} to user ${uid} on the server that has it (an export with root_squash lets no pod do that)${orSay}.`;
}

function ownerOf({ cluster, member, installation }: VolumeUse): VolumeOwner {
  const libc = installation.family.includes("musl") ? "musl" : "glibc";
  return { cluster, member, major: installation.major, libc };
}

/** @returns what stands there then: of two that come at once one is the first. */
async function writeFirst(path: string, owner: VolumeOwner): Promise<string> {
  const written = `${path}.${randomBytes(4).toString("hex")}`;
  const text = `${JSON.stringify(owner)}\n`;
  try {
    await writeWhole(written, text);
    await link(written, path);
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return (await readOwner(path)) ?? "";
    if (isFull(cause)) throw diskFull(path, cause);
    throw notWritable("write", { path, cause });
  } finally {
    await rm(written, { force: true });
  }
  await syncDirectory(dirname(path));
  return text;
}

/** Null where there is none. */
async function readOwner(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw notWritable("read", { path, cause });
  }
}

function parseOwner(path: string, text: string): VolumeOwner {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), ownerSchema), text);
  if (parsed.success) return parsed.output;
  throw new UnderstudyError(
    "DIRECTORY_OTHER_CLUSTER",
    `${path} does not tell whose volume this is: ${JSON.stringify(text.slice(0, 100))}`,
    { hint: `Where it is meant for this member, delete ${VOLUME_OWNER} from the volume.` },
  );
}

function notWritable(act: "read" | "write", of: { path: string; cause: unknown }): UnderstudyError {
  const { path, cause } = of;
  const message = `cannot ${act} ${path}: ${messageOf(cause)}`;
  return new UnderstudyError("DIRECTORY_NOT_WRITABLE", message, { cause });
}

function isFull(thrown: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(codeOf(thrown) ?? "");
}

function diskFull(path: string, cause: unknown): UnderstudyError {
  return new UnderstudyError("DISK_FULL", `cannot write ${path}: the volume is full`, {
    cause,
    hint: "Give the member a larger claim, or free space on its volume; it then begins by itself.",
  });
}
