// What is on the disks: half-made data is never started, and what only one member has is not
// destroyed silently.
import type { Kept } from "../model/disk.ts";
import { isGoingOn, type RewindTurn } from "../model/rewind-turn.ts";
import type { ModelServer } from "../model/server.ts";
import type { DataDirectory } from "../model/wal.ts";
import type { View } from "./checker.ts";

export class DataChecker {
  readonly #view: View;
  #rewinds: RewindTurn[] = [];

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

  /** One that cannot be heard of may be overlooked. */
  rewindBegins(turn: RewindTurn): void {
    const { member, leader } = turn;
    const { servers } = this.#view;
    this.#rewinds = this.#rewinds.filter(isGoingOn);
    const other = this.#rewinds.find(
      ({ member: name, leader: { server }, life }) =>
        server === leader.server && life.answers && server.machine.network.connects(member, name),
    );
    this.#rewinds.push(turn);
    if (other === undefined) return;
    const beside = new Set([member, other.member, leader.server.name]);
    for (const name of Object.keys(this.#view.storedRecord().members)) {
      const data = servers.get(name)?.disk.data ?? null;
      if (!beside.has(name) && data?.isWhole === true && data.freshCopy === null) return;
    }
    this.#view.fail(
      "rewinds take turns",
      `${member} is rewound while ${other.member} is, and nobody but ${leader.server.name} has whole data`,
    );
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
