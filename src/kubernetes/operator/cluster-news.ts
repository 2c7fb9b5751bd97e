// Which changes of a PostgresCluster there is something to do for: the operator writes its status
// itself, and would wake itself by that.
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { contentDigest } from "./covers.ts";

export class ClusterNews {
  /** By uid: of all but what changes with each write, and the status. */
  readonly #seen = new Map<string, string>();

  /** Whether something is otherwise than when it was asked last. */
  isNews(object: KubernetesObject): boolean {
    const { uid = "" } = object.metadata;
    const now = contentDigest(object);
    if (this.#seen.get(uid) === now) return false;
    this.#seen.set(uid, now);
    return true;
  }

  forget({ metadata }: KubernetesObject): void {
    this.#seen.delete(metadata.uid ?? "");
  }
}
