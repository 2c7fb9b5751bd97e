// What a specification may say and nobody can do yet: it is refused, so that nobody believes it to
// be done. Pure.
import type { PostgresCluster } from "./postgres-cluster.ts";

/** One sentence with its remedy for each. */
export function notYet({ spec }: Pick<PostgresCluster, "spec">): string[] {
  const own = spec.storage?.wal === undefined ? [] : ["spec.storage.wal"];
  const claimed = (spec.members ?? []).flatMap(({ wal }, index) =>
    wal === undefined ? [] : [`spec.members.${index}.wal`],
  );
  return [...own, ...claimed].map(
    (field) =>
      `${field}: a volume of its own for the WAL is not supported yet; leave it out, the WAL is with the data then`,
  );
}
