// CRC-32C (Castagnoli): what PostgreSQL puts on pg_control, on WAL records and into backup
// manifests. Node's zlib has only the other CRC-32.

import { assert } from "../core/errors.ts";

/** The reversed polynomial. */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

/**
 * A checksum over bytes that come in pieces. A gigabyte a second and more: eight bytes are taken at
 * a time.
 */
export class Crc32c {
  /** Filled at the first use, never at import. */
  static #tables: readonly Int32Array[] | undefined;
  #state = -1;

  update(bytes: Uint8Array): this {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this.updateWithin(view, { from: 0, to: bytes.length });
  }

  /**
   * As update, for many short pieces of one page: making a view of each would cost more than its
   * checksum.
   */
  updateWithin(view: DataView, span: { readonly from: number; readonly to: number }): this {
    Crc32c.#tables ??= makeTables();
    this.#state = advance(Crc32c.#tables, view, span, this.#state);
    return this;
  }

  /** Of everything so far; unsigned, as PostgreSQL stores it. More may follow. */
  digest(): number {
    return ~this.#state >>> 0;
  }
}

export function crc32c(bytes: Uint8Array): number {
  return new Crc32c().update(bytes).digest();
}

/** Table k holds at byte b what b does to the state when k bytes come after it ("slicing by 8"). */
function makeTables(): readonly Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let state = byte;
    for (let bit = 0; bit < 8; bit++)
      state = (state & 1) === 0 ? state >>> 1 : (state >>> 1) ^ POLYNOMIAL;
    return state;
  });
  const tables = [first];
  for (let slice = 1; slice < SLICES; slice++) {
    const shorter = tables[slice - 1] ?? first;
    tables.push(shorter.map((state) => (state >>> 8) ^ look(first, state & 0xff)));
  }
  return tables;
}

function advance(
  tables: readonly Int32Array[],
  view: DataView,
  span: { readonly from: number; readonly to: number },
  before: number,
): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables;
  assert(t0 && t1 && t2 && t3 && t4 && t5 && t6 && t7, "CRC-32C needs eight tables");
  const { from, to } = span;
  const whole = to - ((to - from) % SLICES);
  let state = before;
  for (let i = from; i < whole; i += SLICES) {
    const low = view.getInt32(i, true) ^ state;
    const high = view.getInt32(i + 4, true);
    state =
      look(t7, low & 0xff) ^
      look(t6, (low >>> 8) & 0xff) ^
      look(t5, (low >>> 16) & 0xff) ^
      look(t4, low >>> 24) ^
      look(t3, high & 0xff) ^
      look(t2, (high >>> 8) & 0xff) ^
      look(t1, (high >>> 16) & 0xff) ^
      look(t0, high >>> 24);
  }
  for (let i = whole; i < to; i++)
    state = (state >>> 8) ^ look(t0, (state ^ view.getUint8(i)) & 0xff);
  return state;
}

/** The index is always a byte, so the element is there; a check would cost a third of the speed. */
function look(table: Int32Array, byte: number): number {
  return table[byte] as number;
}
