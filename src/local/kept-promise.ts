// Whether a standby is certain to have every commit that was acknowledged under synchronous
// replication: the arithmetic of an election, over what the members say and what the disks tell of
// those that do not answer.
import { memberPaths } from "../agent/member-paths.ts";
import { reachOnDisk } from "../agent/reach-on-disk.ts";
import type { MemberAnswer } from "../core/cluster-status.ts";
import { greatestLsn, parseLsnOrNull } from "../core/lsn.ts";
import type { Ballot, Reach } from "../core/protocol/election.ts";
import { doubtOf } from "../core/protocol/quorum.ts";
import type { ClusterRecord } from "../core/record.ts";
import { findServerProcesses } from "../postgres/processes.ts";
import type { LocalCluster } from "./cluster.ts";

/** False where nothing was promised. */
export async function keepsPromise(
  cluster: LocalCluster,
  of: { record: ClusterRecord; to: Reach; answers: ReadonlyMap<string, MemberAnswer> },
): Promise<boolean> {
  const { record, to, answers } = of;
  const { guarantee } = record.sync;
  if (guarantee === null) return false;
  const others = [...answers].filter(([name]) => name !== to.name);
  const ballots = await Promise.all(
    others.map(([name, answer]) => ballotOf(cluster, { name, answer, systemId: record.systemId })),
  );
  return doubtOf(guarantee, { candidate: to, ballots }) === null;
}

async function ballotOf(
  cluster: LocalCluster,
  of: { name: string; answer: MemberAnswer; systemId: string | null },
): Promise<Ballot> {
  const { name, answer, systemId } = of;
  if (!("unreachable" in answer) && answer.role === "standby") {
    const { timeline, timelineTerm } = answer;
    const lsn = greatestLsn(parseLsnOrNull(answer.flushLsn), parseLsnOrNull(answer.replayLsn));
    const seen = { name, timeline, timelineTerm, priority: 0, barred: false };
    if (lsn !== null && answer.state !== "starting") return { kind: "up", ...seen, lsn };
  }
  const disk = memberPaths(cluster.paths.root, name);
  // What changes while it is read proves nothing.
  const isStill = findServerProcesses(disk.data).length === 0;
  const onDisk = isStill ? await reachOnDisk(disk, { name, systemId, near: null }) : null;
  return onDisk === null ? { kind: "silent", name } : { kind: "gone", name, onDisk };
}
