// Memory for bytes on their way to the disk: a fixed number of megabyte buffers, filled one after the other by
// whatever file is arriving, and used again when the writes from them have ended.

/** A run of bytes in a slab; `release` it when it has been written. */
export interface SlabRun {
  readonly bytes: Uint8Array;
  readonly release: () => void;
}

interface Slab {
  readonly buffer: Buffer;
  filled: number;
  /** Runs that are not released, and one for being filled. */
  holders: number;
}

const SLAB_BYTES = 1 << 20;

export class SlabPool {
  readonly #limit: number;
  readonly #free: Slab[] = [];
  #busy = 0;
  #current: Slab | null = null;
  #runStart = 0;

  /** @param limit number of slabs beyond which `full` is true; a few more are made if the caller goes on. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get full(): boolean {
    return this.#busy >= this.#limit;
  }

  /** Half of the memory is free again. */
  get roomy(): boolean {
    return this.#busy <= this.#limit / 2;
  }

  /** Copies as much as fits into the present slab, and says how much; 0 when it is full: take the run first. */
  put(bytes: Uint8Array): number {
    const slab = (this.#current ??= this.#take());
    const length = Math.min(bytes.length, SLAB_BYTES - slab.filled);
    slab.buffer.set(length === bytes.length ? bytes : bytes.subarray(0, length), slab.filled);
    slab.filled += length;
    return length;
  }

  /** What was put since the last run, or null when nothing was. */
  takeRun(): SlabRun | null {
    const slab = this.#current;
    if (slab === null) return null;
    const bytes = slab.buffer.subarray(this.#runStart, slab.filled);
    this.#runStart = slab.filled;
    const isSpent = slab.filled === SLAB_BYTES;
    if (bytes.length > 0) slab.holders++;
    if (isSpent) {
      this.#current = null;
      this.#release(slab);
    }
    return bytes.length === 0 ? null : { bytes, release: () => this.#release(slab) };
  }

  #take(): Slab {
    this.#busy++;
    this.#runStart = 0;
    const slab = this.#free.pop() ?? {
      buffer: Buffer.allocUnsafeSlow(SLAB_BYTES),
      filled: 0,
      holders: 0,
    };
    slab.filled = 0;
    slab.holders = 1;
    return slab;
  }

  #release(slab: Slab): void {
    slab.holders--;
    if (slab.holders > 0) return;
    this.#busy--;
    this.#free.push(slab);
  }
}
