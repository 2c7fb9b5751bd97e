// The state of a cluster on this machine: the record, what each agent answers, and what the
// operating system tells of those that do not.
import { askStatus } from "../agent/peer.ts";
import { memberPaths } from "../agent/member-paths.ts";
import { summarize, type ClusterStatus, type MemberAnswer } from "../core/cluster-status.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { MemberStatus } from "../core/member-status.ts";
import type { ClusterRecord } from "../core/record.ts";
import { findServerProcesses } from "../postgres/processes.ts";
import { describeSharing } from "../postgres/shared-tablespaces.ts";
import { inspectStorage, sharedFailureDomains } from "../postgres/storage.ts";
import { readRecord, type LocalCluster } from "./cluster.ts";
import { remedyOfSharing, sharedTablespacesOf } from "./shared-tablespaces.ts";

const ANSWER_LIMIT_MS = 2_000;

/** Everything is asked anew; each answer is of its own moment. */
export async function readClusterStatus(
  cluster: LocalCluster,
  signal?: AbortSignal,
): Promise<ClusterStatus> {
  const record = await readRecord(cluster);
  return describeCluster(cluster, {
    record,
    statuses: await askMembers(cluster, { record, signal }),
  });
}

/** What the members have answered, with what the machine itself tells of them. */
export async function describeCluster(
  cluster: LocalCluster,
  { record, statuses }: { record: ClusterRecord; statuses: ReadonlyMap<string, MemberAnswer> },
): Promise<ClusterStatus> {
  const { reach } = cluster;
  if (reach !== undefined)
    return reach.describe(summarize({ record, statuses, extraWarnings: [] }));
  const [sharing, fate] = await Promise.all([
    sharedTablespaces(cluster, record),
    sharedFate(cluster, record),
  ]);
  return summarize({ record, statuses, extraWarnings: [...sharing, ...fate] });
}

/** @throws UnderstudyError CLUSTER_NOT_RUNNING. */
export function requireRunning(status: ClusterStatus): ClusterStatus {
  if (status.members.some(({ state }) => state !== "unreachable")) return status;
  throw new UnderstudyError("CLUSTER_NOT_RUNNING", `${status.cluster} is not running`);
}

export async function askMembers(
  cluster: LocalCluster,
  of: {
    record: ClusterRecord;
    signal?: AbortSignal | undefined;
    /** Whoever asks many times a second need not know: it costs a walk of the process table. */
    withoutReasons?: boolean;
  },
): Promise<Map<string, MemberAnswer>> {
  const answers = await Promise.all(
    Object.entries(of.record.members).map(async ([name, address]) => {
      const limits = { trust: null, timeoutMs: ANSWER_LIMIT_MS };
      const ask = cluster.reach?.askStatus ?? askStatus;
      const answer = await ask(
        address,
        of.signal === undefined ? limits : { ...limits, signal: of.signal },
      ).catch((thrown: unknown) => ({
        unreachable:
          of.withoutReasons || cluster.reach !== undefined
            ? messageOf(thrown)
            : whyUnreachable(cluster, { name, thrown }),
      }));
      return [name, belongsHere(answer, { cluster, name })] as const;
    }),
  );
  return new Map(answers);
}

/** Another cluster's agent may have taken a port that this one's left. */
function belongsHere(
  answer: MemberStatus | { unreachable: string },
  expected: { cluster: LocalCluster; name: string },
): MemberAnswer {
  if ("unreachable" in answer) return answer;
  if (answer.cluster === expected.cluster.place.name && answer.name === expected.name)
    return answer;
  return { unreachable: `its port is used by ${answer.name} of the cluster ${answer.cluster}` };
}

function whyUnreachable(cluster: LocalCluster, of: { name: string; thrown: unknown }): string {
  const { data } = memberPaths(cluster.paths.root, of.name);
  const refused = /ECONNREFUSED/.test(messageOf(of.thrown));
  const agent = refused ? "its agent does not run" : messageOf(of.thrown);
  return findServerProcesses(data).length > 0
    ? `${agent}, but its PostgreSQL does`
    : `${agent}, and its PostgreSQL does not either`;
}

async function sharedTablespaces(cluster: LocalCluster, record: ClusterRecord): Promise<string[]> {
  const found = await sharedTablespacesOf(cluster, record);
  return found.map((shared) => `${describeSharing(shared)}. ${remedyOfSharing(cluster)}`);
}

/** On one machine that is a warning and no refusal: it is a laptop. */
async function sharedFate(cluster: LocalCluster, record: ClusterRecord): Promise<string[]> {
  const places = await Promise.all(
    Object.keys(record.members).map(async (member) => {
      const storage = await inspectStorage(memberPaths(cluster.paths.root, member).root);
      return { member, storage };
    }),
  ).catch(() => []);
  return sharedFailureDomains(places).map(({ warning }) => warning);
}
