// What a kubelet says of a member's container, as far as it tells whether a pod may be deleted
// because it is down. Pure.
import type { PodObject } from "../../kubernetes-api/pod-end.ts";

/**
 * Whether the container certainly runs nothing: it waits to be started (again), it has ended, or
 * there is none yet. One that runs is its probes' to judge, which ask its agent: an answer that the
 * operator has missed says nothing of it, and may be of a member that copies for hours.
 */
export function isDown({ status }: Pick<PodObject, "status">, container: string): boolean {
  const seen = status?.containerStatuses?.find(({ name }) => name === container);
  return seen?.state?.running === undefined;
}
