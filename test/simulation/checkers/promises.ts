// What is promised of commits is so, seen from outside: each that is acknowledged while a promise
// is in force is on as many members' disks as it says, and so is what a primary shows to
// applications. By the WAL itself, and not by anything that a server or an agent believes.
import type { ClusterRecord } from "../../../src/core/record.ts";
import { isSameGuarantee, type Guarantee } from "../../../src/core/protocol/quorum.ts";
import type { ModelServer } from "../model/server.ts";
import type { View } from "./checker.ts";

export class PromiseChecker {
  readonly #view: View;
  /** When each commit came onto its primary's disk. */
  readonly #flushedMs = new Map<number, number>();
  /** In their order: who has one of them has all before it. */
  readonly #acknowledged: number[] = [];
  /** Of a primary that nobody was let into yet: what it had when it became one. */
  readonly #unseen = new Map<string, readonly number[]>();
  acknowledged = 0;
  changes = 0;

  constructor(view: View) {
    this.#view = view;
  }

  flushed(id: number): void {
    this.#flushedMs.set(id, this.#view.nowMs());
  }

  acknowledges(id: number, server: ModelServer): void {
    this.#acknowledged.push(id);
    const { guarantee } = this.#view.storedRecord().sync;
    if (guarantee === null) return;
    this.acknowledged += 1;
    const held = this.#holdersOf(id, { server, guarantee });
    if (held < guarantee.required)
      this.#view.fail(
        "a promise is kept",
        `${server.name} acknowledged a commit that ${held} of ${guarantee.members.join(", ")} have, and ${guarantee.required} were promised`,
      );
  }

  /** A person has let these be lost: nothing is promised of them, should they come back. */
  letGo(told: readonly number[]): void {
    while (told.includes(this.#acknowledged.at(-1) ?? -1)) this.#acknowledged.pop();
  }

  leads({ name, disk }: ModelServer): void {
    const commits = disk.data?.wal.filter(({ id }) => this.#flushedMs.has(id)) ?? [];
    this.#unseen.set(
      name,
      commits.map(({ id }) => id),
    );
  }

  /** @returns what an application sees now, and could not before. */
  served(server: ModelServer): readonly number[] {
    const shown = this.#unseen.get(server.name);
    if (shown === undefined) return [];
    this.#unseen.delete(server.name);
    const last = shown.at(-1);
    const { guarantee } = this.#view.storedRecord().sync;
    this.#view.moment("service", server.name);
    if (guarantee === null || last === undefined) return [];
    const held = this.#holdersOf(last, { server, guarantee });
    if (held < guarantee.required)
      this.#view.fail(
        "nobody is shown what is on no standby",
        `${server.name} lets applications in, and ${held} of ${guarantee.members.join(", ")} have what it has`,
      );
    this.#acknowledged.push(last);
    return shown;
  }

  recordWritten(before: ClusterRecord, after: ClusterRecord): void {
    const { guarantee } = after.sync;
    if (isSameGuarantee(before.sync.guarantee, guarantee)) return;
    this.changes += 1;
    const server = this.#view.servers.get(after.leader?.member ?? "");
    const id = this.#acknowledged.at(-1);
    if (guarantee === null || id === undefined || server === undefined) return;
    // What was lost without a promise is nowhere.
    if (server.disk.data?.wal.some((record) => record.id === id) !== true) return;
    const held = this.#holdersOf(id, { server, guarantee });
    if (held < guarantee.required)
      this.#view.fail(
        "a promise is kept",
        `it is promised that ${guarantee.required} of ${guarantee.members.join(", ")} have every acknowledged commit, and ${held} have`,
      );
  }

  /** What was promised of a member whose data was lost or copied since is not broken by it. */
  #holdersOf(id: number, of: { server: ModelServer; guarantee: Guarantee }): number {
    const { server, guarantee } = of;
    const sinceMs = this.#flushedMs.get(id) ?? 0;
    const place = server.disk.data?.wal.findLastIndex((record) => record.id === id) ?? -1;
    return guarantee.members.filter((name) => {
      const { data = null, marker = false } = this.#view.servers.get(name)?.disk ?? {};
      if (data === null || marker || !data.isWhole || data.madeAtMs >= sinceMs) return true;
      return place >= 0 && place < data.flushed && data.wal[place]?.id === id;
    }).length;
  }
}
