// What is on the disks: half-made data is never started, and what only one member has is not
// destroyed silently.
import type { Kept } from "../model/disk.ts";
import type { ModelServer } from "../model/server.ts";
import type { DataDirectory } from "../model/wal.ts";
import type { View } from "./checker.ts";

export class DataChecker {
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  started({ name, disk, orphan }: ModelServer): void {
    if (disk.data?.isWhole === false)
      this.#view.fail("no half-copied directory is started", `${name} starts on half a copy`);
    if (orphan) this.#view.fail("no orphans beside a server", `${name} starts beside an orphan`);
  }

  /** All of it must be elsewhere, or have been kept. */
  destroyed(data: DataDirectory, why: { member: string; announced: boolean; from?: number }): void {
    if (why.announced || !data.isWhole) return;
    const last = data.wal.length - 1;
    this.#mustBeElsewhere(data, { member: why.member, place: last });
    // Of what is kept from there on, what lies before it is not.
    if (why.from !== undefined)
      this.#mustBeElsewhere(data, { member: why.member, place: why.from - 1 });
  }

  keptRemoved(member: string, removed: Kept): void {
    const kept = this.#view.servers.get(member)?.disk.kept ?? [];
    if (kept.every(({ atMs }) => atMs >= removed.atMs)) return;
    this.#view.fail(
      "the newest that was set aside stays",
      `${member} removed what it had just set aside, and kept older things`,
    );
  }

  #mustBeElsewhere(data: DataDirectory, of: { member: string; place: number }): void {
    const { member, place } = of;
    const record = data.wal[place];
    if (record === undefined) return;
    for (const { disk } of this.#view.servers.values()) {
      for (const other of [disk.data, ...disk.replaced.map(({ data: aside }) => aside)])
        if (other !== null && other !== data && other.wal[place]?.id === record.id) return;
      for (const { from, records } of disk.kept)
        if (records[place - from]?.id === record.id) return;
    }
    this.#view.fail(
      "diverged data is not destroyed silently",
      `the only copy of record ${record.id} was destroyed on ${member}`,
    );
  }
}
