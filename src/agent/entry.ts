// How an agent enters a cluster whose members live on hosts of their own: it says where it listens
// and that it is a new run of its member. Not before the run before it is over: two of them on one
// directory, as after `kubectl delete pod --force`, would end the data.
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import { enterMember } from "../core/enter-member.ts";
import type { Store, Versioned } from "../store/store.ts";
import type { MemberAddress } from "./own-address.ts";

const LOOK_EVERY_MS = 250;

export interface Entry {
  readonly store: Store;
  readonly member: string;
  readonly session: string;
  readonly address: MemberAddress;
  /**
   * The record of a cluster that has none yet, or makes it anew; throws why there is to be none.
   * @param since for how long it was seen that there is none, in milliseconds
   */
  readonly found: (since: { goneMs: number }) => Promise<ClusterRecord>;
  /** Why a member that the record does not name may not come into it; null: it may. */
  readonly whyNotNew: () => Promise<string | null>;
  /** Whether an earlier run of this member is proven to be over. */
  readonly isOver: (session: string) => Promise<boolean>;
  readonly onTrouble: (why: unknown) => void;
  /** Called with each look. */
  readonly onLook: () => void;
  readonly nowMs: () => number;
}

/**
 * Resolves when the record names this run; a store that does not answer is waited for.
 * @throws UnderstudyError MEMBER_IN_USE when another run of this member has come meanwhile; the
 * signal's reason.
 */
export async function enterCluster(entry: Entry, signal: AbortSignal): Promise<void> {
  const past = new PastRun(entry.nowMs);
  let goneSinceMs: number | null = null;
  for (;;) {
    signal.throwIfAborted();
    entry.onLook();
    try {
      const read = await entry.store.read();
      goneSinceMs = read === null ? (goneSinceMs ?? entry.nowMs()) : null;
      if (goneSinceMs !== null) await found(entry, goneSinceMs);
      else if (read !== null && (await tryToEnter(entry, { past, read }))) return;
    } catch (thrown) {
      if (thrown instanceof UnderstudyError && thrown.code === "MEMBER_IN_USE") throw thrown;
      entry.onTrouble(thrown);
    }
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}

async function found(entry: Entry, sinceMs: number): Promise<void> {
  const record = await entry.found({ goneMs: entry.nowMs() - sinceMs });
  await entry.store.write({ record, expected: null, durable: true });
}

async function tryToEnter(entry: Entry, of: { past: PastRun; read: Versioned }): Promise<boolean> {
  const { store, member: name, address, session } = entry;
  const { past, read } = of;
  const { record } = read;
  const before = record.members[name]?.session ?? null;
  if (before === session) return true;
  if (record.members[name] === undefined) {
    const why = await entry.whyNotNew();
    if (why !== null) throw new UnderstudyError("MEMBER_NOT_FOUND", why);
  }
  past.look(record, name);
  if (before !== null && !past.isSilent(record) && !(await entry.isOver(before))) return false;
  const renewals = record.leader?.member === name ? record.leader.renewals : null;
  const over = { session: before, renewals };
  const entered = enterMember(record, { name, address, session, over });
  if (entered === null) return false;
  return (await store.write({ record: entered, expected: read.revision, durable: true })) !== null;
}

/** An earlier run that leads is over when it has not renewed for a whole lease; others, too. */
class PastRun {
  readonly #nowMs: () => number;
  #session: string | null = null;
  #seen: { readonly key: string; readonly sinceMs: number } | null = null;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** @throws UnderstudyError MEMBER_IN_USE where it is not the one that was there at first. */
  look(record: ClusterRecord, member: string): void {
    const session = record.members[member]?.session ?? null;
    if (this.#seen !== null && session !== this.#session)
      throw new UnderstudyError("MEMBER_IN_USE", `another run of ${member} has come meanwhile`);
    this.#session = session;
    const { leader, term } = record;
    const key = leader?.member === member ? `${term} ${leader.renewals}` : "a standby";
    if (this.#seen?.key !== key) this.#seen = { key, sinceMs: this.#nowMs() };
  }

  isSilent(record: ClusterRecord): boolean {
    return this.#seen !== null && this.#nowMs() - this.#seen.sinceMs >= record.ttlMs;
  }
}
