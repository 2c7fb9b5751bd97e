// What must hold, whatever happens: seen from outside, by the identity of each WAL record, which no
// agent can see. Independent of the code under test. The first violation ends the run.
import type { ClusterRecord } from "../../src/core/record.ts";
import type { ModelServer, Watcher } from "./model/server.ts";
import { isPrefix, type DataDirectory } from "./model/wal.ts";

export type Invariant =
  | "one writable"
  | "acknowledged commits stay"
  | "no more is lost than must be"
  | "terms rise"
  | "one leader a term"
  | "no half-copied directory is started"
  | "no orphans beside a server"
  | "diverged data is not destroyed silently"
  | "nobody streams what is not its history"
  | "all is well in the end"
  | "no copying without end";

export interface Violation {
  readonly invariant: Invariant;
  readonly message: string;
  readonly atMs: number;
}

export interface Successor {
  readonly server: ModelServer;
  /** Who could have been chosen too. */
  readonly others: readonly ModelServer[];
  /** Whether it was said beforehand that something may be lost. */
  readonly lossReported: boolean;
}

interface Options {
  readonly nowMs: () => number;
  readonly servers: ReadonlyMap<string, ModelServer>;
  readonly storedRecord: () => ClusterRecord;
  readonly onEvent: (who: string, text: string) => void;
}

/** After faults have ended a member may be copied so often. */
const COPIES_LIMIT = 4;

export class Checkers implements Watcher {
  readonly #options: Options;
  /** What every later primary must have. */
  readonly #acknowledged = new Set<number>();
  readonly #everAcknowledged = new Set<number>();
  /** Of members that are about to lead: who would have had more, and what was told to be lost. */
  readonly #choices = new Map<string, { better: string | null; told: readonly number[] }>();
  readonly #leaders = new Map<number, string>();
  #copies = new Map<string, number>();
  #healed = false;
  violation: Violation | null = null;
  acknowledgedCount = 0;
  promotions = 0;
  lostReported = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Faults have ended. */
  healed(): void {
    this.#healed = true;
  }

  fail(invariant: Invariant, message: string): void {
    const atMs = this.#options.nowMs();
    this.violation ??= { invariant, message, atMs };
    this.#options.onEvent("checker", `VIOLATION of "${invariant}": ${message}`);
  }

  acknowledged(id: number): void {
    this.#acknowledged.add(id);
    this.#everAcknowledged.add(id);
    this.acknowledgedCount += 1;
  }

  /**
   * A member is chosen to lead: what it lacks is lost where that was said, but no more than must
   * be.
   */
  named({ server, others, lossReported }: Successor): void {
    // Without data it cannot be promoted, and loses nothing.
    if (server.disk.data === null) return;
    const missing = this.#missingOn(server);
    const better = others.find((other) => this.#missingOn(other).length < missing.length);
    const told = lossReported ? missing : [];
    this.#choices.set(server.name, { better: better?.name ?? null, told });
  }

  /** What was told to be lost is, once that member may lead. */
  #acceptChoice(member: string | null): void {
    const choice = this.#choices.get(member ?? "");
    if (member === null || choice === undefined) return;
    this.#choices.delete(member);
    const { better, told } = choice;
    if (better !== null)
      this.fail(
        "no more is lost than must be",
        `${member} was chosen to lead, though ${better} has commits that it has not`,
      );
    this.lostReported += told.length;
    for (const id of told) this.#acknowledged.delete(id);
  }

  started({ name, disk, orphan }: ModelServer): void {
    this.#options.onEvent(name, "PostgreSQL starts");
    if (disk.data?.isWhole === false)
      this.fail("no half-copied directory is started", `${name} was started on half a copy`);
    if (orphan) this.fail("no orphans beside a server", `${name} was started beside an orphan`);
  }

  becameWritable(server: ModelServer): void {
    const { name, promotedForTerm } = server;
    const { term } = this.#options.storedRecord();
    this.#options.onEvent(name, `is writable, for term ${promotedForTerm}`);
    this.promotions += 1;
    for (const other of this.#options.servers.values())
      if (other !== server && other.isWritable)
        this.fail("one writable", `${name} became writable while ${other.name} was`);
    if (promotedForTerm < term)
      this.fail("terms rise", `${name} was promoted for term ${promotedForTerm} in term ${term}`);
    const leader = this.#leaders.get(promotedForTerm);
    if (leader !== name)
      this.fail(
        "one leader a term",
        `${name} was promoted for term ${promotedForTerm}, the lease of which was ${leader ?? "nobody"}'s`,
      );
    this.#checkCommits(server);
  }

  streamsOnOther({ name }: ModelServer, upstream: ModelServer): void {
    this.fail(
      "nobody streams what is not its history",
      `${name} has WAL that ${upstream.name} does not have and streams from it`,
    );
  }

  recordWritten(before: ClusterRecord, after: ClusterRecord, by: string): void {
    if (after.term < before.term)
      this.fail("terms rise", `${by} wrote term ${after.term} after ${before.term}`);
    const leader = after.leader?.member ?? null;
    this.#acceptChoice(leader ?? after.heir);
    if (leader === null || leader === before.leader?.member) return;
    this.#options.onEvent(by, `the lease of term ${after.term} is ${leader}'s`);
    if (after.term === before.term)
      this.fail("terms rise", `the lease of term ${after.term} changed hands within its term`);
    const known = this.#leaders.get(after.term);
    if (known !== undefined && known !== leader)
      this.fail("one leader a term", `${leader} and ${known} both led term ${after.term}`);
    this.#leaders.set(after.term, leader);
  }

  destroyed(data: DataDirectory, why: { member: string; announced: boolean }): void {
    if (why.announced || !data.isWhole) return;
    const elsewhere = this.#allData().filter((other) => other !== data);
    const place = data.wal.findLastIndex(({ id }) => this.#everAcknowledged.has(id));
    const last = data.wal[place];
    if (last !== undefined && !elsewhere.some(({ wal }) => wal[place]?.id === last.id))
      this.fail(
        "diverged data is not destroyed silently",
        `the only copy of the acknowledged commit ${last.id} was destroyed on ${why.member}`,
      );
  }

  cloneBegun(member: string): void {
    this.#options.onEvent(member, "begins a copy");
    if (!this.#healed) return;
    const copies = (this.#copies.get(member) ?? 0) + 1;
    this.#copies.set(member, copies);
    if (copies > COPIES_LIMIT)
      this.fail("no copying without end", `${member} was copied ${copies} times after all faults`);
  }

  /** What the new primary lacks must have been said beforehand, and is then lost for good. */
  #checkCommits(server: ModelServer): void {
    const missing = this.#missingOn(server).length;
    if (missing > 0)
      this.fail(
        "acknowledged commits stay",
        `${server.name} became the primary without ${missing} acknowledged commits, and nobody said so`,
      );
  }

  #missingOn({ disk }: ModelServer): number[] {
    const held = new Set(disk.data?.wal.map(({ id }) => id));
    return [...this.#acknowledged].filter((id) => !held.has(id));
  }

  #allData(): DataDirectory[] {
    const found: DataDirectory[] = [];
    for (const { disk } of this.#options.servers.values()) {
      found.push(...disk.kept);
      for (const data of [disk.data, disk.replaced]) if (data !== null) found.push(data);
    }
    return found;
  }
}

/** Why the cluster is not well yet; null when it is. */
export function ailment(
  record: ClusterRecord,
  servers: ReadonlyMap<string, ModelServer>,
): string | null {
  const leader = record.leader?.member;
  const primary = leader === undefined ? undefined : servers.get(leader);
  if (primary === undefined) return "nobody leads";
  const data = primary.disk.data;
  if (!primary.isWritable || data === null) return `${primary.name} leads but is not writable`;
  if (record.switchover !== null) return "a switchover is still under way";
  if (record.leader?.timeline !== data.wal.at(-1)?.timeline)
    return `the record names another timeline than ${primary.name} is on`;
  for (const server of servers.values()) {
    if (server === primary) continue;
    if (server.streamsFrom !== primary) return `${server.name} does not stream from the primary`;
    if (server.disk.data === null || !isPrefix(server.disk.data, data))
      return `${server.name} has other data than the primary`;
  }
  return null;
}
