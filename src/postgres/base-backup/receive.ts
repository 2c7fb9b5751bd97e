// Takes a connection over from node-postgres for one BASE_BACKUP, whose two gigabytes its parser
// would copy, and drives the bytes from the socket into the parser: paused while the disk is
// behind, ended by abort, silence or loss.
import { UnderstudyError, messageOf } from "../../core/errors.ts";
import type { RawSocket } from "./raw-socket.ts";

export interface ReceiveOptions {
  /** Of a client that is connected and idle; the client is of no use afterwards. */
  readonly raw: RawSocket;
  readonly command: string;
  /**
   * Takes the next bytes; says "pause" to stop the socket until the returned `resume` is called.
   */
  readonly onBytes: (chunk: Uint8Array) => "more" | "pause";
  /** Longest silence of a server that is not paused. */
  readonly silenceLimitMs: number;
  readonly signal: AbortSignal;
}

export interface Reception {
  /**
   * Settles when `finish` or `fail` is called, or when the connection breaks. The connection is
   * closed then.
   */
  readonly done: Promise<void>;
  readonly resume: () => void;
  readonly finish: () => void;
  readonly fail: (reason: unknown) => void;
}

export function receive(options: ReceiveOptions): Reception {
  const { socket } = options.raw;
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  let settled = false;
  let timer: NodeJS.Timeout | undefined;

  const settle = (outcome: () => void): void => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    options.signal.removeEventListener("abort", onAbort);
    socket.destroy();
    outcome();
  };
  const fail = (reason: unknown): void => settle(() => reject(reason));
  const finish = (): void => settle(resolve);
  const onAbort = (): void => fail(options.signal.reason);
  const watch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => fail(silent(options.silenceLimitMs)), options.silenceLimitMs);
  };
  const onData = (chunk: Buffer): void => {
    if (settled) return;
    try {
      if (options.onBytes(chunk) === "pause") {
        socket.pause();
        clearTimeout(timer);
      } else timer?.refresh();
    } catch (error) {
      fail(error);
    }
  };
  const resume = (): void => {
    if (settled) return;
    watch();
    socket.resume();
  };

  options.raw.tap(onData);
  socket.on("error", (cause: Error) => fail(lost(cause)));
  socket.on("close", () => fail(lost(null)));
  options.signal.addEventListener("abort", onAbort, { once: true });
  if (options.signal.aborted) onAbort();
  else {
    watch();
    socket.write(simpleQuery(options.command));
  }
  return { done, resume, finish, fail };
}

function simpleQuery(text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const message = Buffer.alloc(5 + body.length);
  message.write("Q");
  message.writeInt32BE(4 + body.length, 1);
  body.copy(message, 5);
  return message;
}

function lost(cause: Error | null): UnderstudyError {
  const reason = cause === null ? "it was closed by the server" : messageOf(cause);
  return new UnderstudyError(
    "BACKUP_FAILED",
    `the connection to the primary was lost in the middle of the base backup: ${reason}`,
    cause === null ? {} : { cause },
  );
}

function silent(limitMs: number): UnderstudyError {
  return new UnderstudyError(
    "BACKUP_FAILED",
    `the primary sent nothing of the base backup for ${limitMs / 1000} s`,
  );
}
