// What gives way and must not be lost: as src/agent/effects/data-aside.ts.
import { UnderstudyError } from "../../../src/core/errors.ts";
import { keptName } from "../../../src/agent/effects/kept-name.ts";
import type { Kept } from "./disk.ts";
import type { DataDirectory } from "./wal.ts";
import type { ModelMember } from "./member.ts";

const KEPT_LIMIT = 3;

/** The whole directory, by a rename: that needs no room. */
export function keepData(member: ModelMember, nameOf = keptName): void {
  const { disk } = member;
  const { data } = disk;
  if (data === null) return;
  disk.data = null;
  keepAside(member, data, nameOf);
}

/** One that was out of its place already. */
export function keepAside(member: ModelMember, data: DataDirectory, nameOf = keptName): void {
  member.disk.kept.push({ ...now(member, nameOf), data, from: 0, records: data.wal });
  removeOldest(member);
}

/** A copy of the WAL from that record on; the same is not kept twice. */
export function keepWal(member: ModelMember, from: number, nameOf = keptName): void {
  const { disk, name } = member;
  const { data } = disk;
  if (data === null) return;
  if (disk.isFull) throw new UnderstudyError("DISK_FULL", `${name} has no room for what it has`);
  const last = data.wal.at(-1)?.id;
  const isKept = ({ data: whole, from: place, records }: Kept) =>
    whole === null && place === from && records.at(-1)?.id === last;
  if (disk.kept.some(isKept)) return;
  disk.kept.push({ ...now(member, nameOf), data: null, from, records: data.wal.slice(from) });
  removeOldest(member);
}

function now({ clock, model }: ModelMember, nameOf: typeof keptName): Pick<Kept, "stamp" | "atMs"> {
  const names = model.disk.kept.map(({ stamp }) => stamp);
  return { stamp: nameOf(new Date(clock.wallClock()), names), atMs: model.machine.scheduler.nowMs };
}

/** Names sort as their times do. */
function removeOldest({ name, disk, around }: ModelMember): void {
  const newestFirst = disk.kept.toSorted((one, other) => (one.stamp < other.stamp ? 1 : -1));
  disk.kept = newestFirst.slice(0, KEPT_LIMIT);
  for (const removed of newestFirst.slice(KEPT_LIMIT)) around.onlooker.keptRemoved(name, removed);
}
