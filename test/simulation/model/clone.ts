// Copying the primary, as src/agent/effects/clone.ts: into a place under a marker, over a
// connection that may break at any moment.
import { writableLeader, type Leader } from "../../../src/agent/member.ts";
import { UnderstudyError } from "../../../src/core/errors.ts";
import { formatLsn } from "../../../src/core/lsn.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { ModelContext, ModelMember } from "./member.ts";
import { startAsStandby } from "./start.ts";
import type { Steps } from "./steps.ts";
import { endOf, flushedEndOf, ownHistory, toLsn, type DataDirectory } from "./wal.ts";

const CONNECT_LIMIT_MS = 5_000;

export async function clone(steps: Steps, context: ModelContext): Promise<void> {
  const { member, record, signal } = context;
  const { disk, around } = member;
  const leader = writableLeader(record);
  if (leader === null || record.systemId === null) return;
  await steps.beginCopy(member);
  if (disk.marker) {
    if (disk.data !== null)
      around.onlooker.destroyed(disk.data, { member: member.name, announced: false });
    disk.data = null;
  }
  const from = await sourceOfCopy(steps, { member, record, leader });
  await member.around.askServer(member, {
    to: from,
    limitMs: CONNECT_LIMIT_MS,
    answer: () => {},
  });
  const source = sourceOf(member, from);
  if (disk.isFull) throw new UnderstudyError("DISK_FULL", `${member.name} has no room for a copy`);
  around.onlooker.remade(member.name, "copied");
  steps.writeMarker(member);
  source.slots.add(member.name);
  disk.data = {
    ...source,
    wal: [],
    flushed: 0,
    slots: new Set(),
    isWhole: false,
    freshCopy: null,
  };
  disk.data = await copyOf(member, { from, source, signal }).catch((thrown: unknown) => {
    if (from !== leader.name) member.supply.uncopied = from;
    throw thrown;
  });
  disk.marker = false;
  const { timeline, checkpoint } = disk.data.freshCopy ?? { timeline: 0, checkpoint: 0 };
  await member.memory.rememberPath({
    followed: {
      leader: leader.name,
      timeline,
      before: timeline,
      switchPoint: formatLsn(toLsn(checkpoint)),
    },
    forks: record.forks,
  });
  await startAsStandby(steps, context, from);
  removeReplaced(steps, { member, term: record.term });
}

/** As sourceOfCopy: the standby that it is to stream from, or the primary. */
async function sourceOfCopy(
  steps: Steps,
  { member, record, leader }: { member: ModelMember; record: ClusterRecord; leader: Leader },
): Promise<string> {
  const { supply } = member;
  const source = await steps.chooseSource(member, { leader, record });
  const isToBeTried = source !== supply.uncopied;
  supply.uncopied = null;
  return isToBeTried ? source : leader.name;
}

/**
 * Whole, with all that its source had when the copy ended.
 * @throws UnderstudyError CONNECTION_FAILED, BACKUP_FAILED, DISK_FULL; half of it is there then.
 */
export async function copyOf(
  member: ModelMember,
  of: { from: string; source: DataDirectory; signal: AbortSignal },
): Promise<DataDirectory> {
  const { from, source, signal } = of;
  const { disk, life, random } = member;
  const checkpoint = flushedEndOf(source);
  const { timeline } = endOf(source);
  for (let left = random.between(3, 12); left > 0; left -= 1) {
    await life.sleep(random.between(50, 400), signal);
    if (sourceOf(member, from) !== source)
      throw new UnderstudyError("CONNECTION_FAILED", `${from} has other data now`);
    if (disk.isFull) throw new UnderstudyError("DISK_FULL", "there is no room for the copy");
  }
  if (endOf(source).timeline !== timeline)
    throw new UnderstudyError("BACKUP_FAILED", `${from} was promoted during the backup`);
  const wal = source.wal.slice(0, source.flushed);
  return {
    ...source,
    wal,
    flushed: wal.length,
    newest: ownHistory(source),
    control: "in production",
    standbyMode: false,
    upstream: null,
    slots: new Set(),
    freshCopy: { timeline, checkpoint },
    madeAtMs: member.model.machine.scheduler.nowMs,
    isWhole: true,
  };
}

/** @throws UnderstudyError CONNECTION_FAILED while that one cannot be copied. */
export function sourceOf(member: ModelMember, from: string): DataDirectory {
  const server = member.around.connected(member.name, from);
  const data = server?.disk.data ?? null;
  if (data === null) throw new UnderstudyError("CONNECTION_FAILED", `${from} cannot be copied now`);
  return data;
}

/** As removeCopiesAside. */
function removeReplaced(
  steps: Steps,
  { member, term }: { readonly member: ModelMember; readonly term: number },
): void {
  const { name, disk, around } = member;
  for (const aside of disk.replaced.splice(0))
    if (aside.term === term)
      around.onlooker.destroyed(aside.data, { member: name, announced: false });
    else steps.keepAside(member, aside.data);
}
