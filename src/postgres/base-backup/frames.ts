// PostgreSQL's message framing for the one direction that carries a base backup: a type byte, a
// length, a body. CopyData bodies are passed on in the pieces in which they arrive, so that nothing
// is copied; all other messages are whole. (Manual, "Message Formats".) Pure: no socket.
import { UnderstudyError } from "../../core/errors.ts";

export interface FrameHandler {
  /** A CopyData message begins. */
  copyBegin(): void;
  /** The next bytes of it: a view into what was fed, never empty; valid during the call only. */
  copyPiece(piece: Uint8Array): void;
  copyEnd(): void;
  /** Any other message, by its type's letter. */
  message(type: string, body: Buffer): void;
}

const COPY_DATA = 0x64;
const HEADER = 5;
/** Longest message other than CopyData: row descriptions and errors are far shorter. */
const BODY_LIMIT = 1 << 24;

/**
 * Feed it bytes in any portions; the callbacks do not depend on them, and what was fed may be
 * overwritten afterwards.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #header = Buffer.alloc(HEADER);
  #headerFilled = 0;
  #bodyLeft = 0;
  #body: Uint8Array[] | null = null;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** @throws UnderstudyError BACKUP_FAILED when the bytes are not PostgreSQL's protocol. */
  feed(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#headerFilled < HEADER) {
        const length = Math.min(HEADER - this.#headerFilled, chunk.length - offset);
        this.#header.set(chunk.subarray(offset, offset + length), this.#headerFilled);
        this.#headerFilled += length;
        offset += length;
        if (this.#headerFilled === HEADER) this.#begin();
      } else {
        const length = Math.min(this.#bodyLeft, chunk.length - offset);
        const piece = chunk.subarray(offset, offset + length);
        this.#bodyLeft -= length;
        offset += length;
        if (this.#body) this.#body.push(Buffer.from(piece));
        else this.#handler.copyPiece(piece);
        if (this.#bodyLeft === 0) this.#end();
      }
    }
  }

  #begin(): void {
    const length = this.#header.readInt32BE(1) - 4;
    const isCopy = this.#header[0] === COPY_DATA;
    if (length < 0 || (!isCopy && length > BODY_LIMIT))
      throw new UnderstudyError(
        "BACKUP_FAILED",
        `cannot read the base backup: a message of ${length} bytes is not PostgreSQL's protocol`,
      );
    this.#bodyLeft = length;
    this.#body = isCopy ? null : [];
    if (isCopy) this.#handler.copyBegin();
    if (length === 0) this.#end();
  }

  #end(): void {
    const body = this.#body;
    this.#headerFilled = 0;
    if (body === null) this.#handler.copyEnd();
    else this.#handler.message(String.fromCharCode(this.#header[0] ?? 0), Buffer.concat(body));
  }
}
