// Whether the service for writes leads to the member that leads by the record. The leader's agent
// says where it leads; one that cannot reach the API, or may not, would let applications write to
// nobody while every member is well. Pure.
import type { ClusterRecord } from "../../core/record.ts";
import { REIGN_ANNOTATION, reignText } from "../../core/slice-reign.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";

/** @param of.slice of the service for writes. @returns one sentence; null: it leads there. */
export function serviceAstray(of: {
  service: string;
  slice: KubernetesObject | null;
  record: ClusterRecord | null;
}): string | null {
  const { service, slice, record } = of;
  const leader = record?.leader?.member;
  const address = leader === undefined ? undefined : record?.members[leader]?.host;
  if (record === null || leader === undefined || address === undefined) return null;
  const endpoints: unknown = Object(slice)["endpoints"];
  const led = (Array.isArray(endpoints) ? endpoints : []).flatMap((each): unknown[] => {
    const { addresses } = Object(each);
    return Array.isArray(addresses) ? addresses : [];
  });
  const by = slice?.metadata.annotations?.[REIGN_ANNOTATION];
  if (led.length === 1 && led[0] === address && by === reignText(record)) return null;
  const where = led.length === 0 ? "nowhere" : `to ${led.join(", ")}`;
  const term = by === undefined ? "" : ` (term ${by.split("/")[1] ?? "?"})`;
  return `${service} leads ${where}${term}, and ${leader} at ${address} is the primary in term ${record.term}; its agent says why it cannot change that: kubectl logs ${leader}-0`;
}
