// Removing a standby of a running cluster with its copy of the data; a removal that was killed on
// its way can be asked for again.
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { memberPaths } from "../agent/member-paths.ts";
import { agentRuns } from "../agent/witness.ts";
import { askStatus } from "../agent/peer.ts";
import { syncObjection } from "../core/config/sync-keys.ts";
import { UnderstudyError } from "../core/errors.ts";
import { removeMember } from "../core/record-changes.ts";
import type { ClusterRecord, RecordMember } from "../core/record.ts";
import { readControlData, type ControlState } from "../postgres/control-data.ts";
import { lastAddresses } from "./adopt-record.ts";
import { stopMember } from "./agents.ts";
import {
  changeClusterRecord,
  lockCluster,
  readRecord,
  recordMember,
  type LocalCluster,
  type Operation,
  type Outcome,
} from "./cluster.ts";
import { entriesOf } from "./entries-of.ts";
import { readClusterStatus } from "./read-status.ts";

/** What pg_control says of a standby, running or stopped (manual, pg_controldata). */
const OF_STANDBYS: ReadonlySet<ControlState> = new Set([
  "in archive recovery",
  "shut down in recovery",
]);
const ANSWER_LIMIT_MS = 2_000;
const POLL_MS = 50;

/**
 * @throws UnderstudyError PRIMARY_PROTECTED, MEMBER_NOT_FOUND, NO_PRIMARY, DATA_UNREADABLE; nothing
 * is changed then. STOP_FAILED, TIMED_OUT: it can be asked for again.
 */
export async function removeStandby(
  cluster: LocalCluster,
  request: { name: string },
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const { name } = request;
  const record = await readRecord(cluster);
  const address = await addressOf(cluster, { record, name });
  refusePrimary(record, name);
  await requirePrimary(cluster, name);
  await refuseNeeded(cluster, { record, name });
  const paths = memberPaths(cluster.paths.root, name);
  // What cannot be read must not count as nothing; and it is looked at before anything is changed.
  await entriesOf(paths.kept);
  await refuseFormerPrimary(paths.data, name);
  if (name in record.members) {
    const removed = await changeClusterRecord(cluster, (current) => removeMember(current, name));
    if (removed === null) refusePrimary(await readRecord(cluster), name);
    operation.onStep(`${name} was taken out of the record; its slot is dropped`);
  }
  await stopRemoved(cluster, { name, address, operation });
  operation.onStep(`${name} was stopped`);
  const kept = await entriesOf(paths.kept);
  await removeFiles(paths, { all: kept.length === 0 });
  return {
    summary:
      kept.length === 0
        ? `${name} was removed with its copy of the data`
        : `${name} was removed; data that only it had is kept in ${paths.kept}`,
    facts: { member: name, kept: kept.length === 0 ? null : paths.kept },
  };
}

/**
 * Of one that the record has no more but whose files are there: where its agent was last. Null
 * where that is not known.
 */
async function addressOf(
  cluster: LocalCluster,
  of: { record: ClusterRecord; name: string },
): Promise<RecordMember | null> {
  const { record, name } = of;
  const isLeft = !(name in record.members) && (await isRemovalLeft(cluster, name));
  return isLeft ? await lastAddressOf(cluster, name) : recordMember(record, name);
}

/**
 * Whether a member that the record has no more was removed and not to its end: its agent's address
 * goes last. A directory that somebody else put there has none, and is nobody's to remove.
 */
export async function isRemovalLeft(cluster: LocalCluster, name: string): Promise<boolean> {
  const { root, address } = memberPaths(cluster.paths.root, name);
  return (await entriesOf(root)).includes(basename(address));
}

/**
 * Null where it is not known, or where another agent listens by now: only this member's own is told
 * to end.
 */
export async function lastAddressOf(
  cluster: LocalCluster,
  name: string,
): Promise<RecordMember | null> {
  const last = (await lastAddresses(cluster))[name] ?? null;
  if (last === null) return null;
  const answer = await askStatus(last, { trust: null, timeoutMs: ANSWER_LIMIT_MS }).catch(
    () => null,
  );
  const isOther =
    answer !== null && (answer.name !== name || answer.cluster !== cluster.place.name);
  return isOther ? null : last;
}

/**
 * Data that was a primary's when its server ended, and that was not compared with the present
 * primary's since, may hold what nobody else has.
 */
async function refuseFormerPrimary(dataDir: string, name: string): Promise<void> {
  const control = await readControlData(dataDir).catch(() => null);
  if (control === null || OF_STANDBYS.has(control.state)) return;
  throw new UnderstudyError(
    "PRIMARY_PROTECTED",
    `cannot remove ${name}: it was the primary and has not come back as a standby since, so its data may hold what no other member has`,
    {
      hint: `Bring it back first, what only it has is kept then: understudy up. Or move ${dataDir} away yourself.`,
    },
  );
}

function refusePrimary(record: ClusterRecord, name: string): void {
  if (!(name in record.members) || removeMember(record, name) !== null) return;
  throw new UnderstudyError(
    "PRIMARY_PROTECTED",
    `cannot remove ${name}: it is the primary of term ${record.term}`,
  );
}

/**
 * Synchronous replication needs so many standbys: without them every write would wait.
 * @throws UnderstudyError REFUSED.
 */
async function refuseNeeded(
  cluster: LocalCluster,
  of: { record: ClusterRecord; name: string },
): Promise<void> {
  const { record, name } = of;
  const { mode, required, whenUnavailable } = record.sync;
  const without = removeMember(record, name);
  if (mode === "off" || without === null) return;
  const hint = "Have it wait for fewer first: understudy config set required=1, or sync=off";
  const objection = syncObjection(without, record);
  if (objection !== null)
    throw new UnderstudyError("REFUSED", `cannot remove ${name}: ${objection}`, { hint });
  if (whenUnavailable === "degrade") return;
  const { members, primary } = await readClusterStatus(cluster);
  const others = members.filter((member) => member.name !== primary && member.name !== name);
  const streaming = others.filter(({ state }) => state === "streaming").length;
  if (streaming >= required || members.every((member) => member.sync !== "quorum")) return;
  throw new UnderstudyError(
    "REFUSED",
    `cannot remove ${name}: every write would wait, as ${required === 1 ? "no other standby streams" : `only ${streaming} of the ${required} standbys that it needs would stream`}`,
    { hint },
  );
}

/** Without a primary that lives, what a standby has may be the last copy (lesson 24). */
async function requirePrimary(cluster: LocalCluster, name: string): Promise<void> {
  if ((await readClusterStatus(cluster)).primary !== null) return;
  throw new UnderstudyError(
    "NO_PRIMARY",
    `cannot remove ${name}: ${cluster.place.name} has no primary now, so its data may be the only copy`,
    { hint: "Bring the cluster up first: understudy up" },
  );
}

/**
 * One whose agent cannot be asked retires by itself, as soon as it sees that the record has it no
 * more; it then ends when asked.
 */
export async function stopRemoved(
  cluster: LocalCluster,
  of: { name: string; address: RecordMember | null; operation: Operation },
): Promise<void> {
  const { name, address, operation } = of;
  const { root } = cluster.paths;
  if (address !== null) return await stopMember(cluster, { name, address, operation });
  const deadline = performance.now() + operation.timeoutMs;
  while (agentRuns(root, name)) {
    operation.signal.throwIfAborted();
    if (performance.now() > deadline)
      throw new UnderstudyError(
        "STOP_FAILED",
        `the agent of ${name} still runs, and where it listens is not known; its data was not removed`,
        { hint: `End it, then repeat: understudy standby remove ${name}` },
      );
    await delay(POLL_MS);
  }
  // No agent runs: what is left of its server is stopped without one.
  const nowhere = { host: "127.0.0.1", port: 0, apiPort: 0, tags: {} };
  await stopMember(cluster, { name, address: nowhere, operation });
}

/**
 * What was set aside is the only copy of something, and the events tell of what; the rest was a
 * copy of the primary.
 */
async function removeFiles(
  paths: ReturnType<typeof memberPaths>,
  of: { all: boolean },
): Promise<void> {
  const { root, kept, events, address } = paths;
  const stays = of.all ? [] : [kept, events];
  const entries = (await entriesOf(root)).map((entry) => join(root, entry));
  // The address last: as long as it is there, the removal can be asked for again.
  for (const path of [...entries.filter((each) => each !== address), address])
    if (!stays.includes(path)) await rm(path, { recursive: true, force: true, maxRetries: 5 });
  if (of.all) await rm(root, { recursive: true, force: true, maxRetries: 5 });
}
