// Stops every process of a member by a signal, so that it stands still as in a container that is
// paused, and lets all of them go on.
import { standsStill } from "../../src/postgres/proc.ts";
import { signal } from "./cluster-processes.ts";
import { eventually } from "./eventually.ts";
import type { TestCluster } from "./local-cluster.ts";

export interface FrozenMember {
  readonly pids: readonly number[];
  /** All of them, or only one group. */
  thaw(which?: readonly number[]): void;
}

/** The deadman first: it would end the others for standing still. */
export async function freezeMember(cluster: TestCluster, member: string): Promise<FrozenMember> {
  const all = () => [
    ...cluster.deadmanPids(member),
    ...[cluster.findAgent(member)].filter((pid) => pid !== null),
    ...cluster.serverPids(member),
  ];
  await eventually(`every process of ${member} stands still`, () => {
    for (const pid of all()) signal(pid, "SIGSTOP");
    return all().every((pid) => standsStill(pid));
  });
  const pids = all();
  return { pids, thaw: (which = pids) => which.forEach((pid) => signal(pid, "SIGCONT")) };
}
