// When root makes a cluster its files belong to the account that agents and servers run as.
import { chown } from "node:fs/promises";
import { checkReachable, findOsUser } from "../postgres/os-user.ts";
import { UnderstudyError } from "../core/errors.ts";

export interface Owner {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Null: whoever runs this command.
 * @throws UnderstudyError NO_USABLE_USER.
 */
export async function findOwner(wanted: string | null): Promise<Owner | null> {
  return findOsUser(wanted === null ? {} : { wanted });
}

/**
 * Whether the directory can be used or made; what root makes it hands over to the owner.
 * @throws UnderstudyError DIRECTORY_NOT_WRITABLE naming the directory in the way.
 */
export async function requireReachable(dir: string, owner: Owner | null): Promise<void> {
  const problem =
    owner === null
      ? await checkReachable(dir, null)
      : await checkReachable(dir, { home: "/", ...owner }, "enter");
  if (problem !== null) throw new UnderstudyError("DIRECTORY_NOT_WRITABLE", problem);
}

export async function giveTo(owner: Owner | null, paths: readonly string[]): Promise<void> {
  if (owner === null || process.getuid?.() !== 0) return;
  for (const path of paths) await chown(path, owner.uid, owner.gid);
}
