// What a cluster has lost as a whole: its record, or all of its data. Nobody makes either anew
// unasked, so that it waits for a person, and says for what. Pure.
import type { MemberAnswer } from "../../core/cluster-status.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { CLUSTER_LABEL } from "../objects/names.ts";
import type { PostgresClusterStatus } from "../resource/status-schema.ts";
import type { Trouble } from "./pod-troubles.ts";

export interface Held {
  readonly cluster: { readonly name: string; readonly namespace: string };
  readonly record: ClusterRecord | null;
  readonly answers: ReadonlyMap<string, MemberAnswer>;
  /** As it was told last. */
  readonly before: PostgresClusterStatus | null;
}

const RECORD_LOST = "RecordLost";
const DATA_LOST = "DataLost";

/** One at most. */
export function lostOf(held: Held): Trouble[] {
  const { record } = held;
  return record === null ? lostRecord(held) : lostData(held, record);
}

/** A new cluster has none either, but no primary was told of it before. */
function lostRecord({ cluster, before }: Held): Trouble[] {
  const blocked = before?.conditions?.find(({ type }) => type === "Blocked");
  const wasTold = blocked?.status === "True" && blocked.reason === RECORD_LOST;
  if (before?.currentPrimary === undefined && !wasTold) return [];
  const { name, namespace } = cluster;
  return [
    {
      member: `${name}-1`,
      reason: RECORD_LOST,
      message: `the cluster's record is gone from the Lease ${name}; its leader writes it back while every member confirms it, and where there is none a person names the member whose data counts, the last primary or the newest standby: kubectl annotate -n ${namespace} lease ${name} understudy.dev/adopt=MEMBER`,
    },
  ];
}

/** Only where every member says so: one that is silent may have it. */
function lostData({ cluster, answers }: Held, record: ClusterRecord): Trouble[] {
  const members = Object.keys(record.members);
  const [first] = members;
  const isWithout = (member: string): boolean => {
    const answer = answers.get(member);
    if (answer === undefined || "unreachable" in answer) return false;
    return answer.systemId === null && answer.progress === null;
  };
  if (record.systemId === null || first === undefined || !members.every(isWithout)) return [];
  const { name, namespace } = cluster;
  return [
    {
      member: first,
      reason: DATA_LOST,
      message: `the record in the Lease ${name} is of the database system ${record.systemId}, and no member has its data: bring the volumes back; or to begin anew delete the cluster, then what is left of it (kubectl delete -n ${namespace} lease,pvc,secret -l ${CLUSTER_LABEL}=${name}), and apply it again`,
    },
  ];
}
