// What there is, as the functions that decide want it: members for a rollout, for scaling, and the
// places where they have their data. Pure.
import { isDelayed } from "../../core/cascade.ts";
import type { ClusterStatus, MemberAnswer } from "../../core/cluster-status.ts";
import { namesInOrder } from "../../core/name-order.ts";
import type { ClusterRecord } from "../../core/record.ts";
import type { MemberPlace } from "../failure-domains/shared-fate.ts";
import type { MountSeen, PersistentVolume } from "../failure-domains/volume-domains.ts";
import { MEMBER_LABEL, memberNames, podName, CLUSTER_LABEL } from "../objects/names.ts";
import { DATABASE_CONTAINER } from "../objects/pod.ts";
import { POD_MARK, podMark } from "../objects/pod-mark.ts";
import { memberVolumes } from "../objects/volumes.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { heirsInOrder } from "../rollout/heirs.ts";
import type { RolloutMember } from "../rollout/next-step.ts";
import type { ScaleFacts } from "../rollout/scale-step.ts";
import { isReady } from "../status/findings.ts";
import { isDown } from "../status/pod-run.ts";
import type { PodSeen, Reading } from "./reading.ts";

export interface Facts {
  readonly cluster: PostgresCluster;
  readonly reading: Reading;
  readonly volumes: ReadonlyMap<string, PersistentVolume>;
  /** Null: there is none yet. */
  readonly record: ClusterRecord | null;
  readonly answers: ReadonlyMap<string, MemberAnswer>;
  readonly summary: ClusterStatus | null;
}

export function scaleFacts(facts: Facts): ScaleFacts {
  const { cluster, reading, record, summary } = facts;
  const sets = reading.statefulSets.filter(
    ({ metadata }) => metadata.labels?.[CLUSTER_LABEL] === cluster.name,
  );
  return {
    wanted: memberNames(cluster),
    inRecord: namesInOrder(Object.keys(record?.members ?? {})),
    withSet: namesInOrder(
      sets.map(({ metadata }) => metadata.labels?.[MEMBER_LABEL] ?? metadata.name),
    ),
    primary: summary?.primary ?? null,
    successors: heirsInOrder(record, summary),
  };
}

/** One for each member that is wanted, whether it is there or not. */
export function rolloutMembers(facts: Facts): RolloutMember[] {
  const { cluster, reading, summary, answers, record } = facts;
  const heirs = heirsInOrder(record, summary);
  return memberVolumes(cluster).map((volumes) => {
    const { member } = volumes;
    const pod = reading.pods.get(podName(member));
    const seen = summary?.members.find(({ name }) => name === member);
    const isMarked = pod?.metadata.annotations?.[POD_MARK] === podMark(cluster, volumes);
    // Whatever an agent says whose pod ends: soon it is away.
    const isThere = pod !== undefined && pod.metadata.deletionTimestamp === undefined;
    return {
      name: member,
      // One that is not there yet will be as it is to be.
      isCurrent: pod === undefined || (isMarked && !waitsForRestart(answers.get(member))),
      isReady: isThere && seen !== undefined && isReady(seen),
      isBusy: !isThere || isBusy(seen?.state) || isOnlyUnseen(pod, seen),
      // By the record as well: who leads is never taken for one that is down.
      isPrimary: record?.leader?.member === member || summary?.primary === member,
      mayLead: mayLead(record, member),
      heirRank: heirs.includes(member) ? heirs.indexOf(member) : null,
      staysPrimary: isMarked && lowersFirst(answers.get(member)),
      isTold: isTold(answers.get(member), cluster),
    };
  });
}

/** One that does not answer is waited for in any case. */
function isTold(answer: MemberAnswer | undefined, { generation }: PostgresCluster): boolean {
  if (answer === undefined || !("toldGeneration" in answer)) return true;
  const { toldGeneration = generation, generation: applied } = answer;
  return toldGeneration >= generation && (applied !== null || answer.role === "none");
}

/** Whoever took its part would wait for the same, and hand it back. */
function lowersFirst(answer: MemberAnswer | undefined): boolean {
  return answer !== undefined && "lowersFirst" in answer && answer.lowersFirst === true;
}

/** Its pod is what it is to be, and parameters wait for its server to be started again. */
export function onlyWaitsForRestart(facts: Facts, member: string): boolean {
  const { cluster, reading, answers } = facts;
  const volumes = memberVolumes(cluster).find((each) => each.member === member);
  const mark = reading.pods.get(podName(member))?.metadata.annotations?.[POD_MARK];
  if (volumes === undefined || mark !== podMark(cluster, volumes)) return false;
  return waitsForRestart(answers.get(member));
}

function waitsForRestart(answer: MemberAnswer | undefined): boolean {
  return answer !== undefined && "pendingRestart" in answer && answer.pendingRestart.length > 0;
}

function isBusy(state: ClusterStatus["members"][number]["state"] | undefined): boolean {
  return (
    state === "cloning" || state === "rewinding" || state === "starting" || state === "catching-up"
  );
}

/**
 * Its agent does not answer here, and its container runs: then it may be the operator that is cut
 * off, or an answer that was late, and not the member that is down.
 */
function isOnlyUnseen(pod: PodSeen, seen: ClusterStatus["members"][number] | undefined): boolean {
  if (seen !== undefined && seen.state !== "unreachable") return false;
  const isSound = (pod.status?.conditions ?? []).some(
    ({ type, status }) => type === "Ready" && status === "True",
  );
  return isSound || !isDown(pod, DATABASE_CONTAINER);
}

function mayLead(record: ClusterRecord | null, member: string): boolean {
  const entry = record?.members[member];
  if (entry === undefined || entry.tags.nofailover === true || isDelayed(entry)) return false;
  return record?.fenced.includes(member) !== true;
}

export function memberPlaces(facts: Omit<Facts, "summary" | "record">): MemberPlace[] {
  const { cluster, reading, volumes, answers } = facts;
  return memberVolumes(cluster).map(({ member, data, wal }) => {
    const claims = [data.claim, ...(wal === null ? [] : [wal.claim])];
    const found = claims.flatMap((claim) => volumes.get(claim) ?? []);
    return {
      member,
      node: nodeOf(reading, member),
      volumes: found,
      mounts: mountsOf(answers.get(member)),
    };
  });
}

export function nodesOf(cluster: PostgresCluster, reading: Reading): Map<string, string> {
  return new Map(
    memberNames(cluster).flatMap((member) => {
      const node = nodeOf(reading, member);
      return node === null ? [] : [[member, node] as const];
    }),
  );
}

function nodeOf({ pods }: Reading, member: string): string | null {
  return pods.get(podName(member))?.spec?.nodeName ?? null;
}

/** "nas:/exports/izdb on /var/lib/…" is of another machine, "/dev/sda1 on /" of this one. */
function mountsOf(answer: MemberAnswer | undefined): MountSeen[] {
  if (answer === undefined || !("storage" in answer) || answer.storage === null) return [];
  const { device, source: told } = answer.storage;
  const [source = told] = told.split(" on ");
  const [, server, share] = /^([^/:]+|\[[^\]]+\]):(\/.*)$/.exec(source) ?? [];
  const remote = server === undefined || share === undefined ? null : { server, share };
  return [{ source, device, disks: [], remote }];
}
