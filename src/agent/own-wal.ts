// Where a member has its WAL, if that is not with its data: on a volume that is its own.
import { placeWal, sweepWal } from "../postgres/wal-place.ts";
import { requireOwnVolume, type VolumeUse } from "./own-volume.ts";
import type { MemberPaths } from "./member-paths.ts";

/** For a PostgresServer: what is to be done before each start. */
export function prepareWal({
  paths,
  walRoot,
}: {
  paths: Pick<MemberPaths, "root" | "data">;
  walRoot: string | null;
}): { prepare?: (signal: AbortSignal) => Promise<void> } {
  if (walRoot === null) return {};
  return {
    prepare: async (signal) => {
      await placeWal({ dataDir: paths.data, walRoot }, signal);
      // What is left over takes room, and is no reason not to start.
      await sweepWal({ memberRoot: paths.root, walRoot }).catch(() => {});
    },
  };
}

/** @throws UnderstudyError as requireOwnVolume does, of the WAL's volume. */
export async function requireOwnWal(use: VolumeUse, walRoot: string): Promise<void> {
  // What is below is PostgreSQL's own; none of it is a data directory.
  await requireOwnVolume({ ...use, paths: { root: walRoot, data: `${walRoot}/none` } });
}
