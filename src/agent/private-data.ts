// PGDATA as PostgreSQL wants it: with group write, which a kubelet gives a volume's files for the
// pod's fsGroup, it does not start.
import { chmod, stat } from "node:fs/promises";
import type { MemberPaths } from "./member-paths.ts";

const PRIVATE = 0o700;
/** What PostgreSQL refuses; read and search by the group it allows (manual 19.2). */
const REFUSED = { usual: 0o027, ten: 0o077 };

/**
 * Takes from others than its owner what PostgreSQL would refuse; nothing where the data is another
 * user's, or is not there yet.
 * @returns one sentence where it did.
 * @throws what changing its mode may throw.
 */
export async function keepDataPrivate(of: {
  readonly paths: Pick<MemberPaths, "data">;
  readonly uid: number;
  readonly major: number;
}): Promise<string | null> {
  const { data } = of.paths;
  const seen = await stat(data).catch(() => null);
  const refused = of.major === 10 ? REFUSED.ten : REFUSED.usual;
  if (seen === null || seen.uid !== of.uid || (seen.mode & refused) === 0) return null;
  await chmod(data, PRIVATE);
  return `${data} had mode ${octal(seen.mode)}, as by a volume's fsGroup, with which PostgreSQL does not start; it has ${octal(PRIVATE)} now`;
}

function octal(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`;
}
