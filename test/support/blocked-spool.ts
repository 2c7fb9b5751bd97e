// A standby that cannot copy WAL from a dead primary's disk: something stands in the way in its
// spool. Starts and promotions are not hindered by it.
import { chown, mkdir, readdir, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "./local-cluster.ts";

/** @returns what takes it out of the way. */
export async function blockSpool(
  cluster: TestCluster,
  of: { standby: string; dead: string },
): Promise<() => Promise<void>> {
  const { spool } = cluster.paths(of.standby);
  await mkdir(spool, { recursive: true, mode: 0o700 });
  const { uid, gid } = await stat(cluster.dir);
  await chown(spool, uid, gid);
  const files = await readdir(join(cluster.paths(of.dead).data, "pg_wal"));
  // The name of a copy that is not whole yet.
  const places = files.filter((name) => /^[0-9A-F]{24}$/.test(name));
  const obstacles = places.map((name) => join(spool, `${name}.new`));
  for (const path of obstacles) await mkdir(path);
  return async () => {
    for (const path of obstacles) await rmdir(path);
  };
}
