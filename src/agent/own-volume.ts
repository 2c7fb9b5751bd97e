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
import { writeWhole } from "./cluster-file.ts";
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

/** @throws UnderstudyError DIRECTORY_NOT_WRITABLE, DIRECTORY_OTHER_CLUSTER, BINARIES_DIFFER. */
export async function requireOwnVolume(use: VolumeUse): Promise<void> {
  await requireWritable(use);
  await requireOwnUser(use);
  const wanted = ownerOf(use);
  const path = join(use.paths.root, VOLUME_OWNER);
  if (await writeFirst(path, wanted)) return;
  const found = await readOwner(path);
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

/** @returns whether there was none: of two that come at once one is the first. */
async function writeFirst(path: string, owner: VolumeOwner): Promise<boolean> {
  const written = `${path}.${randomBytes(4).toString("hex")}`;
  try {
    await writeWhole(written, `${JSON.stringify(owner)}\n`);
    await link(written, path);
  } catch (thrown) {
    if (codeOf(thrown) === "EEXIST") return false;
    throw new UnderstudyError(
      "DIRECTORY_NOT_WRITABLE",
      `cannot write ${path}: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  } finally {
    await rm(written, { force: true });
  }
  await syncDirectory(dirname(path));
  return true;
}

async function readOwner(path: string): Promise<VolumeOwner> {
  const text = await readFile(path, "utf8").catch(() => "");
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), ownerSchema), text);
  if (parsed.success) return parsed.output;
  throw new UnderstudyError(
    "DIRECTORY_OTHER_CLUSTER",
    `${path} does not tell whose volume this is: ${JSON.stringify(text.slice(0, 100))}`,
    { hint: `Where it is meant for this member, delete ${VOLUME_OWNER} from the volume.` },
  );
}
