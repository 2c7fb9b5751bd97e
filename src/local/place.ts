// Where clusters and fetched PostgreSQL binaries are kept on this machine: by the XDG rules for a
// user, and for root below /var/lib, where the account that PostgreSQL runs as can reach them.
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { clusterPaths } from "../agent/member-paths.ts";
import { UnderstudyError } from "../core/errors.ts";
import { checkClusterName } from "../core/name.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ClusterPlace {
  readonly name: string;
  readonly dir: string;
}

interface Whose {
  readonly env: Environment;
  readonly uid: number;
}

const DEFAULT_NAME = "demo";

/**
 * A directory that was named says itself which cluster it holds.
 * @throws UnderstudyError NAME_INVALID, USAGE.
 */
export function resolveClusterPlace(
  from: { name: string | undefined; dir: string | undefined } & Whose,
): ClusterPlace {
  if (from.dir !== undefined) {
    const dir = resolve(from.dir);
    return { name: checkClusterName(from.name ?? nameIn(dir) ?? DEFAULT_NAME), dir };
  }
  const name = checkClusterName(from.name ?? DEFAULT_NAME);
  return { name, dir: join(clustersHome(from), name) };
}

/** Names of the clusters in the default place. */
export async function listClusters(from: Whose): Promise<readonly string[]> {
  const names = await readdir(clustersHome(from)).catch(() => []);
  return names.filter((name) => nameIn(join(clustersHome(from), name)) !== null).sort();
}

/** Where fetched PostgreSQL binaries are kept. */
export function binariesHome(from: Whose): string {
  return join(home(from), "postgres");
}

function clustersHome(from: Whose): string {
  return join(home(from), "clusters");
}

function home({ env, uid }: Whose): string {
  const chosen = env["XDG_DATA_HOME"];
  if (chosen !== undefined && chosen !== "") {
    // The rules have it ignored; data in a place that nobody named is the worse surprise.
    if (!isAbsolute(chosen))
      throw new UnderstudyError(
        "USAGE",
        `XDG_DATA_HOME is ${JSON.stringify(chosen)}, which is no absolute path`,
        { hint: "Set it to an absolute path, or unset it." },
      );
    return join(chosen, "understudy");
  }
  return uid === 0 ? "/var/lib/understudy" : join(homedir(), ".local", "share", "understudy");
}

function nameIn(dir: string): string | null {
  try {
    const document: unknown = JSON.parse(readFileSync(clusterPaths(dir).cluster, "utf8"));
    const name: unknown = Reflect.get(
      Object(Reflect.get(Object(Reflect.get(Object(document), "specification")), "metadata")),
      "name",
    );
    return typeof name === "string" ? name : null;
  } catch {
    return null;
  }
}
