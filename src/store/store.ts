// The store: three operations on one record. Implementations: memory (for tests and the simulator),
// sqlite (one machine). One conformance suite (test/store/) holds for all of them.
import type { ClusterRecord } from "../core/record.ts";

export interface Versioned {
  readonly record: ClusterRecord;
  /** Opaque; changes with every write. */
  readonly revision: string;
}

export interface WriteRequest {
  readonly record: ClusterRecord;
  /** The revision that this change was computed from; null when there must be no record yet. */
  readonly expected: string | null;
  /**
   * Whether the write must survive a power cut before it is acknowledged. A change of hands must; a
   * renewal need not: losing one is as if it had never been sent.
   */
  readonly durable: boolean;
}

export interface Store extends AsyncDisposable {
  /**
   * The newest record, or null when there is none.
   * @throws UnderstudyError STORE_UNAVAILABLE, STORE_CORRUPT, RECORD_CORRUPT or RECORD_TOO_NEW.
   */
  read(): Promise<Versioned | null>;

  /**
   * Writes when nobody else has since `expected`.
   * @returns the new version, or null when someone has: read again. After STORE_UNAVAILABLE the
   * write may have been applied or not: read again.
   */
  write(request: WriteRequest): Promise<Versioned | null>;

  /**
   * Calls back after each change, soon: with what was seen where the store is told that, and it is
   * newer than all that this handle has known; else with nothing: read to see it. Changes may be
   * merged. Calls may come too often, never too seldom for longer than a second or so.
   */
  watch(onChange: (seen?: Versioned) => void): Disposable;
}

/**
 * Reads, computes and writes until it is written, or `change` says null (not allowed in this
 * state).
 * @param options.from the version that is known: the change is first tried on it, without a read;
 * what it does not allow may be allowed in a newer one
 * @returns what was written, or null.
 */
export async function changeRecord(
  store: Store,
  change: (record: ClusterRecord) => ClusterRecord | null,
  options: { durable?: boolean; from?: Versioned } = {},
): Promise<Versioned | null> {
  const known = options.from;
  let current = known !== undefined && change(known.record) !== null ? known : await store.read();
  for (; ; current = await store.read()) {
    const next = current === null ? null : change(current.record);
    if (current === null || next === null) return null;
    const written = await store.write({
      record: next,
      expected: current.revision,
      durable: options.durable ?? true,
    });
    if (written !== null) return written;
  }
}
