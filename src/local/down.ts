// Stops a cluster and keeps its data: the primary first, so that its standbys receive everything,
// then they. The primary is named to lead again.
import { agentRuns } from "../agent/witness.ts";
import { UnderstudyError } from "../core/errors.ts";
import type { RecordMember } from "../core/record.ts";
import { releaseLease } from "../core/record-changes.ts";
import { lastAddresses } from "./adopt-record.ts";
import { isWithoutAgent, stopMember, stopServerWithoutAgent } from "./agents.ts";
import { entriesOf } from "./entries-of.ts";
import {
  changeClusterRecord,
  lockCluster,
  readRecord,
  type LocalCluster,
  type Operation,
  type Outcome,
} from "./cluster.ts";

/** @throws UnderstudyError OPERATION_IN_PROGRESS, and what stopping a member may throw. */
export async function downCluster(cluster: LocalCluster, operation: Operation): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const stopped = await stopCluster(cluster, operation);
  for (const name of stopped) operation.onStep(`${name} stopped`);
  return {
    summary: `${cluster.place.name} is stopped, its data is kept in ${cluster.place.dir}`,
    facts: { stopped },
  };
}

/** @returns the members, in the order in which they were stopped. */
export async function stopCluster(
  cluster: LocalCluster,
  operation: Pick<Operation, "signal" | "timeoutMs">,
): Promise<string[]> {
  const { leader, members } = await whomToStop(cluster);
  // A standby would take the part of a primary without an agent as soon as its server ends.
  if (leader !== null && (await isWithoutAgent(cluster.paths.root, leader)))
    await keepItsTurn(cluster, leader);
  const others = Object.keys(members).filter((name) => name !== leader);
  const order = leader === null ? [others] : [[leader], others];
  for (const names of order)
    await Promise.all(
      names.map((name) => {
        const address = members[name];
        if (address === undefined)
          throw new UnderstudyError("MEMBER_NOT_FOUND", `${name} is not in the record`);
        return stopMember(cluster, { name, address, operation });
      }),
    );
  await stopUnknown(cluster, { known: members, operation });
  // Its agent may have found the store held at that moment.
  if (leader !== null) await keepItsTurn(cluster, leader);
  return order.flat();
}

/**
 * Names a leader that no agent runs to lead again: nobody else may then take its lease. A store
 * that is away must not keep a cluster from being stopped; the next `up` finds the record as it
 * was.
 */
async function keepItsTurn(cluster: LocalCluster, member: string): Promise<void> {
  await changeClusterRecord(cluster, (record) =>
    releaseLease(record, { member, term: record.term, heir: member }),
  ).catch((thrown: unknown) => {
    if (!(thrown instanceof UnderstudyError)) throw thrown;
  });
}

/**
 * A damaged record, and an address that was lost with it: what runs without an agent is stopped all
 * the same.
 */
async function stopUnknown(
  cluster: LocalCluster,
  of: {
    known: Readonly<Record<string, RecordMember>>;
    operation: Pick<Operation, "signal" | "timeoutMs">;
  },
): Promise<void> {
  const { operation } = of;
  for (const name of await entriesOf(cluster.paths.members))
    if (!(name in of.known) && !agentRuns(cluster.paths.root, name))
      await stopServerWithoutAgent(cluster, { name, operation });
}

/**
 * A cluster whose record is damaged can be stopped too: its members are asked where they last were.
 */
async function whomToStop(
  cluster: LocalCluster,
): Promise<{ leader: string | null; members: Readonly<Record<string, RecordMember>> }> {
  try {
    const { leader, heir, members } = await readRecord(cluster);
    return { leader: leader?.member ?? heir, members };
  } catch (thrown) {
    const code = thrown instanceof UnderstudyError ? thrown.code : null;
    if (code !== "RECORD_CORRUPT" && code !== "STORE_CORRUPT") throw thrown;
    return { leader: null, members: await lastAddresses(cluster) };
  }
}
