// The record as a Lease of the Kubernetes API holds it: in two annotations, so that a renewal,
// which changes only what the leader says of itself, is a patch of a few hundred bytes. The Lease's
// own fields are for people; nothing here reads them.
import { parseRecord, type ClusterRecord } from "../core/record.ts";
import type { KubernetesObject } from "../kubernetes-api/resource.ts";

export interface LeaseObject extends KubernetesObject {
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** The record without what changes with each renewal. */
export const RECORD_ANNOTATION = "understudy.dev/record";
/** The rest of it: of the leader, its count of renewals and its position. */
export const RENEWAL_ANNOTATION = "understudy.dev/renewal";

/** Of a Lease without a record: the member whose data a person has chosen to count. */
export const ADOPT_ANNOTATION = "understudy.dev/adopt";

/**
 * Null where the Lease holds no record yet.
 * @throws UnderstudyError RECORD_CORRUPT or RECORD_TOO_NEW.
 */
export function recordIn(lease: LeaseObject): ClusterRecord | null {
  const text = recordTextIn(lease);
  if (text === null) return null;
  const renewal = lease.metadata.annotations?.[RENEWAL_ANNOTATION];
  return parseRecord(renewal === undefined ? text : joined(text, renewal));
}

/** As it is written there, to know whether a change is a renewal and nothing else. */
export function recordTextIn({ metadata }: LeaseObject): string | null {
  return metadata.annotations?.[RECORD_ANNOTATION] ?? null;
}

/**
 * What has to be written (a merge patch) so that a Lease holds this record.
 * @param of.present the text that it holds now (`recordTextIn`)
 * @param of.at wall clock, RFC 3339 UTC: for people
 */
export function leasePatch(
  record: ClusterRecord,
  of: { present: string | null; at: string },
): { annotations: Record<string, string | null>; spec: Record<string, unknown> } {
  const { text, renewal } = split(record);
  const annotations = { [RENEWAL_ANNOTATION]: renewal };
  const spec = { renewTime: microTime(of.at) };
  if (text === of.present) return { annotations, spec };
  return {
    annotations: { ...annotations, [RECORD_ANNOTATION]: text },
    spec: {
      ...spec,
      holderIdentity: record.leader?.member ?? null,
      leaseDurationSeconds: Math.max(1, Math.ceil(record.ttlMs / 1_000)),
      leaseTransitions: record.term,
    },
  };
}

function split(record: ClusterRecord): { text: string; renewal: string | null } {
  if (record.leader === null) return { text: JSON.stringify(record), renewal: null };
  const { member, ...renewal } = record.leader;
  return {
    text: JSON.stringify({ ...record, leader: { member } }),
    renewal: JSON.stringify(renewal),
  };
}

/** Text that cannot be joined is given back as it is: whoever parses the record says why. */
function joined(text: string, renewal: string): string {
  try {
    const record = JSON.parse(text);
    return JSON.stringify({ ...record, leader: { ...record.leader, ...JSON.parse(renewal) } });
  } catch {
    return text;
  }
}

/** The API's form of a time has microseconds, always six digits. */
function microTime(at: string): string {
  return new Date(at).toISOString().replace("Z", "000Z");
}
