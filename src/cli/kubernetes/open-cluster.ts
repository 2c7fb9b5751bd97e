// The cluster on Kubernetes that a command is about, and what commands can do with it. What is of
// files or processes of one machine is refused with what to do instead.
import type { ClusterFile, ClusterSecrets } from "../../agent/cluster-file.ts";
import { clusterPaths } from "../../agent/member-paths.ts";
import { UnderstudyError } from "../../core/errors.ts";
import { checkClusterName } from "../../core/name.ts";
import { KubernetesApi } from "../../kubernetes-api/api.ts";
import { POSTGRES_CLUSTER } from "../../kubernetes-api/kinds.ts";
import type { LocalCluster } from "../../local/cluster.ts";
import type { LocalCommands } from "../session.ts";
import { readKubeconfig } from "./kubeconfig.ts";
import { KubernetesReach } from "./reach.ts";
import { readObject, type KubernetesPlace } from "./read-object.ts";
import { readEvents } from "./remote-events.ts";
import { readLogs } from "./remote-logs.ts";
import { parametersOf } from "./remote-parameters.ts";

export interface KubernetesChoice {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
  /** Undefined: the only one of the namespace. */
  readonly name: string | undefined;
  readonly local: LocalCommands;
  /** For people, beside the answer. */
  readonly note: (text: string) => void;
}

export interface OpenedCluster {
  readonly local: LocalCommands;
  readonly cluster: LocalCluster;
  readonly namespace: string;
}

/** @throws UnderstudyError KUBECONFIG_*, KUBERNETES_*, CLUSTER_NOT_FOUND, USAGE, NAME_INVALID. */
export async function openOnKubernetes(choice: KubernetesChoice): Promise<OpenedCluster> {
  const { env, context } = choice;
  const found = await readKubeconfig({ env, context });
  const api = new KubernetesApi({ access: found.access });
  const namespace = choice.namespace ?? found.namespace;
  const name = choice.name ?? (await onlyOne(api, namespace));
  const place: KubernetesPlace = { api, namespace, cluster: checkClusterName(name) };
  const reach = new KubernetesReach(place);
  const cluster = clusterAt(place, reach);
  await requireRecord(place, reach);
  return { local: commandsFor(place, { ...choice, reach }), cluster, namespace };
}

async function onlyOne(api: KubernetesApi, namespace: string): Promise<string> {
  const { items } = await api.list(POSTGRES_CLUSTER, { namespace });
  const names = items.map(({ metadata }) => metadata.name);
  const [name, ...others] = names;
  if (name === undefined)
    throw new UnderstudyError(
      "CLUSTER_NOT_FOUND",
      `there is no PostgresCluster in the namespace ${namespace}`,
      { hint: "Name the namespace with --namespace; see: kubectl get postgresclusters -A" },
    );
  if (others.length === 0) return name;
  throw new UnderstudyError("USAGE", `${namespace} has ${names.length} clusters; name one`, {
    hint: `They are: ${names.join(", ")}.`,
  });
}

/** One that has not come up yet says why, as far as that is known. */
async function requireRecord(place: KubernetesPlace, reach: KubernetesReach): Promise<void> {
  await using store = reach.openStore();
  const read = await store.read().catch((thrown: unknown) => {
    // For agents a store that is away is one thing; a person is to know which right is missing.
    throw thrown instanceof UnderstudyError && thrown.cause instanceof UnderstudyError
      ? thrown.cause
      : thrown;
  });
  if (read !== null) return;
  const { namespace, cluster: name } = place;
  const object = await readObject(place);
  if (object === null)
    throw new UnderstudyError(
      "CLUSTER_NOT_FOUND",
      `there is no cluster ${name} in the namespace ${namespace}`,
      { hint: `See what there is: kubectl -n ${namespace} get postgresclusters` },
    );
  const { phase = "not looked at by an operator yet", conditions = [] } = object.status ?? {};
  const why = conditions.find(
    ({ type, status }) =>
      (type === "Blocked" && status === "True") || (type === "Accepted" && status === "False"),
  );
  throw new UnderstudyError(
    "CLUSTER_NOT_RUNNING",
    `${name} has not come up yet (${phase})${why === undefined ? "" : `: ${why.message}`}`,
    { hint: `See: kubectl -n ${namespace} describe postgrescluster ${name}` },
  );
}

function clusterAt({ cluster: name, namespace }: KubernetesPlace, reach: KubernetesReach) {
  const elsewhere = (what: string) =>
    new UnderstudyError("INTERNAL", `${what} of ${namespace}/${name} are not on this machine`);
  const cluster: LocalCluster = {
    reach,
    place: { name, dir: "" },
    paths: clusterPaths(""),
    get file(): ClusterFile {
      throw elsewhere("the files");
    },
    get secrets(): ClusterSecrets {
      throw elsewhere("the passwords");
    },
  };
  return cluster;
}

/** What works the same is the same; the rest is of Kubernetes' own, or refused. */
function commandsFor(
  place: KubernetesPlace,
  of: Pick<KubernetesChoice, "local" | "note"> & { reach: KubernetesReach },
): LocalCommands {
  const { local, note } = of;
  const { memberNames, readClusterStatus, pause } = local;
  const { planSwitchover, switchover, planSchedule, schedule, cancelSchedule } = local;
  const refused = Object.keys(local).map((command) => [command, () => refuse(place, command)]);
  return {
    ...(Object.fromEntries(refused) as LocalCommands),
    memberNames,
    readClusterStatus,
    pause,
    planSwitchover,
    switchover,
    planSchedule,
    schedule,
    cancelSchedule,
    ...parametersOf(place, { reach: of.reach }),
    readEvents: (cluster) => readEvents(cluster, of),
    readLogs: (cluster, request) => readLogs({ place, cluster, note }, request),
  };
}

const INSTEAD: Readonly<Record<string, (place: KubernetesPlace) => string>> = {
  applicationPassword: ({ namespace, cluster }) =>
    `The Secret ${cluster}-app has all that an application needs: kubectl -n ${namespace} get secret ${cluster}-app -o yaml`,
  superuserLogin: connectBy,
  binDirOf: connectBy,
  restart: ({ namespace, cluster }) =>
    `Each pod is made anew, one after the other, by: kubectl -n ${namespace} annotate --overwrite postgrescluster ${cluster} understudy.dev/restart="$(date)"`,
  addStandby: scale,
  removeStandby: scale,
};

function connectBy({ namespace, cluster }: KubernetesPlace): string {
  return `Forward a port to the primary's pod (understudy status names it): kubectl -n ${namespace} port-forward pod/MEMBER-0 5432, with the password of the Secret ${cluster}-app.`;
}

function scale({ namespace, cluster }: KubernetesPlace): string {
  return `Say how many there are to be: kubectl -n ${namespace} scale postgrescluster ${cluster} --replicas=2`;
}

function refuse(place: KubernetesPlace, command: string): never {
  const { namespace, cluster } = place;
  const instead = INSTEAD[command]?.(place);
  throw new UnderstudyError(
    "REFUSED",
    `that cannot be done from here with a cluster on Kubernetes (${namespace}/${cluster}) yet`,
    { hint: instead ?? "status, switchover, pause, resume, events, logs and param can." },
  );
}
