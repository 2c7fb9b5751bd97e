// Taking the lease from a primary that is lost, so that nobody else gets it before the lost one
// certainly takes no writes: what was looked at seconds ago may have come back since.
import { setTimeout as delay } from "node:timers/promises";
import { memberPaths } from "../agent/member-paths.ts";
import { agentRuns } from "../agent/witness.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { formerLeaders } from "../core/protocol/election.ts";
import type { ClusterRecord } from "../core/record.ts";
import { appointHeir, reopenElection, revokeLease } from "../core/record-changes.ts";
import { findServerProcesses } from "../postgres/processes.ts";
import { askAgent, changeClusterRecord, type LocalCluster, type Operation } from "./cluster.ts";

const ENDING = { by: "a person", rule: "failover-on-request", downMs: null } as const;
const FENCE_LIMIT_MS = 15_000;
const POLL_MS = 50;

/** A lease that was taken away, until it is given to another or back. */
export interface Revocation {
  /** Names who may take the lease next. */
  appoint(member: string): Promise<void>;
  /** As it was before: the one that led, or was named to, is named again. */
  undo(): Promise<void>;
}

/**
 * Returns when no process of whoever led can take writes any more.
 * @param of.to who is to lead instead: it is not asked to stop
 * @throws UnderstudyError FAILOVER_REFUSED, after the lease was given back where it had been taken.
 */
export async function revoke(
  cluster: LocalCluster,
  of: { record: ClusterRecord; to: string; operation: Operation },
): Promise<Revocation> {
  const { record, to, operation } = of;
  const holder = record.leader?.member ?? record.heir;
  const { term } = record;
  const deadLeader = record.leader?.member ?? null;
  const revoked = await changeClusterRecord(cluster, (current) =>
    revokeLease(current, { deadLeader, term, ending: ENDING }),
  );
  if (revoked === null) throw changedMeanwhile();
  const revocation: Revocation = {
    appoint: (member) => appoint(cluster, { member, term }),
    undo: async () => {
      if (holder !== null) await appoint(cluster, { member: holder, term });
      else if (record.electing)
        await changeClusterRecord(cluster, (current) => reopenElection(current, { term }));
    },
  };
  if (holder !== null) operation.onStep(`the lease of term ${term} was taken from ${holder}`);
  // Where the lease is free, it was taken from somebody whose server may have stood still since:
  // what was asked of it then, it does when it goes on.
  const suspects = holder === null ? formerLeaders(record).filter((name) => name !== to) : [holder];
  const consequence = holder === null ? "nobody leads" : `${holder} is named to lead again`;
  const looked = { record, consequence, operation };
  try {
    await Promise.all(suspects.map((name) => awaitHarmless(cluster, { name, ...looked })));
  } catch (thrown) {
    await revocation.undo();
    throw thrown;
  }
  return revocation;
}

async function appoint(cluster: LocalCluster, of: { member: string; term: number }): Promise<void> {
  const appointment = { ...of, deadLeader: null };
  const named = await changeClusterRecord(cluster, (current) => appointHeir(current, appointment));
  if (named === null) throw changedMeanwhile();
}

function changedMeanwhile(): UnderstudyError {
  return new UnderstudyError("FAILOVER_REFUSED", "the record has changed meanwhile; look again");
}

/**
 * No process of it lives, or its agent has stopped its server once since. A role that the agent
 * tells is no proof: a promotion that was requested under the old record may end after it was told.
 */
async function awaitHarmless(
  cluster: LocalCluster,
  of: { name: string; record: ClusterRecord; consequence: string; operation: Operation },
): Promise<void> {
  const { name, record, consequence, operation } = of;
  const { root } = cluster.paths;
  const address = record.members[name];
  const deadline = performance.now() + FENCE_LIMIT_MS;
  let trouble = "";
  while (findServerProcesses(memberPaths(root, name).data).length > 0) {
    operation.signal.throwIfAborted();
    const remainingMs = Math.round(deadline - performance.now());
    if (remainingMs <= 0)
      throw new UnderstudyError(
        "FAILOVER_REFUSED",
        `PostgreSQL of ${name} has not ended within ${FENCE_LIMIT_MS / 1000} s${trouble}; ${consequence}`,
        { hint: "See what it does: understudy status" },
      );
    if (address !== undefined && agentRuns(root, name))
      try {
        const request = { signal: operation.signal, timeoutMs: remainingMs };
        await askAgent(cluster, { member: address, path: "/restart", operation: request });
        return;
      } catch (thrown) {
        operation.signal.throwIfAborted();
        trouble = ` (${messageOf(thrown)})`;
      }
    await delay(POLL_MS);
  }
}
