// The PostgresCluster object of a cluster on Kubernetes, where there is one.
import { UnderstudyError } from "../../core/errors.ts";
import type { KubernetesApi } from "../../kubernetes-api/api.ts";
import { POSTGRES_CLUSTER } from "../../kubernetes-api/kinds.ts";
import type { ClusterObject } from "../../kubernetes/operator/reading.ts";

/** Where a cluster is, and how that is reached. */
export interface KubernetesPlace {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly cluster: string;
}

/** Null where there is none, as of a cluster that was made of plain objects. */
export async function readObject({
  api,
  namespace,
  cluster,
}: KubernetesPlace): Promise<ClusterObject | null> {
  try {
    return await api.get<ClusterObject>(POSTGRES_CLUSTER, { namespace, name: cluster });
  } catch (thrown) {
    if (thrown instanceof UnderstudyError && thrown.code === "KUBERNETES_LACKS_KIND") return null;
    throw thrown;
  }
}
