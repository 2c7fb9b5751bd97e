// What a drill sees of its cluster from outside while something happens to it: each change of the
// record, and what each member is, on the drill's clock.
import { setTimeout as delay } from "node:timers/promises";
import { askReach } from "../../agent/peer.ts";
import { summarize, type ClusterStatus } from "../../core/cluster-status.ts";
import type { MemberReach } from "../../core/member-status.ts";
import type { ClusterRecord } from "../../core/record.ts";
import type { Store } from "../../store/store.ts";
import { openStore, type LocalCluster } from "../cluster.ts";
import { askMembers } from "../read-status.ts";

/** The record at one moment, as far as it matters here. */
export interface RecordLook {
  readonly atMs: number;
  readonly term: number;
  readonly leader: string | null;
  /** Null until that leader takes writes. */
  readonly timeline: number | null;
}

export type MemberLook = "primary" | "streaming" | "busy" | "away";

/** What a member's own agent said that it was, from that moment on. */
export interface MemberChange {
  readonly atMs: number;
  readonly member: string;
  readonly look: MemberLook;
}

/** Seldom enough not to be a load of its own, where the members are only drawn. */
const LOOK_MS = 100;
/** Where a moment is measured. */
const CLOSE_LOOK_MS = 10;
const ANSWER_LIMIT_MS = 500;

export class ClusterWatch implements AsyncDisposable {
  readonly #cluster: LocalCluster;
  readonly #store: Store;
  readonly #records: RecordLook[] = [];
  readonly #members: MemberChange[] = [];
  readonly #stop = new AbortController();
  readonly #subscription: Disposable;
  readonly #ended: Promise<unknown>;
  #record: ClusterRecord;

  private constructor(of: { cluster: LocalCluster; store: Store; record: ClusterRecord }) {
    this.#cluster = of.cluster;
    this.#store = of.store;
    this.#record = of.record;
    this.#note(of.record);
    this.#subscription = of.store.watch(() => void this.#read());
    const names = Object.keys(of.record.members);
    this.#ended = Promise.all(names.map((name) => this.#look(name)));
  }

  /** @throws UnderstudyError as reading a store does. */
  static async begin(cluster: LocalCluster, record: ClusterRecord): Promise<ClusterWatch> {
    return new ClusterWatch({ cluster, store: openStore(cluster), record });
  }

  /** Oldest first; each differs from the one before. */
  get records(): readonly RecordLook[] {
    return this.#records;
  }

  /** Oldest first; each differs from the one of that member before. */
  get members(): readonly MemberChange[] {
    return this.#members;
  }

  /** The last record that could be read. */
  get record(): ClusterRecord {
    return this.#record;
  }

  /** The status as `understudy status` has it, but for what only people read. */
  async status(): Promise<ClusterStatus> {
    const record = this.#record;
    const statuses = await askMembers(this.#cluster, { record, withoutReasons: true });
    return summarize({ record, statuses, extraWarnings: [] });
  }

  /**
   * Waits until a member streams, proven by the primary as well, or leads.
   * @returns when, on the drill's clock; null when the limit has come.
   */
  async untilSettled(member: string, limit: AbortSignal): Promise<number | null> {
    while (!limit.aborted) {
      if (await this.#seemsSettled(member)) {
        const atMs = performance.now();
        const status = await this.status();
        const found = status.members.find(({ name }) => name === member);
        if (found?.state === "streaming" || status.primary === member) return atMs;
      }
      await delay(CLOSE_LOOK_MS);
    }
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#subscription[Symbol.dispose]();
    await this.#ended;
    await this.#store[Symbol.asyncDispose]();
  }

  /** Asked of its own agent alone, which is cheap. */
  async #seemsSettled(member: string): Promise<boolean> {
    const look = await this.#ask(member);
    return look === "streaming" || look === "primary";
  }

  async #ask(member: string): Promise<MemberLook> {
    const address = this.#record.members[member];
    if (address === undefined) return "away";
    const answer = await askReach(address, { trust: null, timeoutMs: ANSWER_LIMIT_MS }).catch(
      () => null,
    );
    return answer?.name === member ? lookOf(answer) : "away";
  }

  async #read(): Promise<void> {
    // A store that does not answer is one of the things that are rehearsed.
    const read = await this.#store.read().catch(() => null);
    if (read === null) return;
    this.#record = read.record;
    this.#note(read.record);
  }

  #note({ term, leader }: ClusterRecord): void {
    const look = { term, leader: leader?.member ?? null, timeline: leader?.timeline ?? null };
    const last = this.#records.at(-1);
    const isNew =
      last === undefined ||
      last.term !== look.term ||
      last.leader !== look.leader ||
      last.timeline !== look.timeline;
    if (isNew) this.#records.push({ atMs: performance.now(), ...look });
  }

  async #look(member: string): Promise<void> {
    let last: MemberLook | null = null;
    while (!this.#stop.signal.aborted) {
      const askedMs = performance.now();
      const look = await this.#ask(member);
      if (look !== last) this.#members.push({ atMs: askedMs, member, look });
      last = look;
      await delay(LOOK_MS);
    }
  }
}

function lookOf({ role, state }: MemberReach): MemberLook {
  if (role === "primary") return "primary";
  if (state === "streaming") return "streaming";
  return state === "stopped" ? "away" : "busy";
}
