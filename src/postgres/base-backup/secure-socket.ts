// The same as raw-socket.ts where the server is reached by TLS: what is asked of PostgreSQL before
// the handshake (manual, 55.2.11 "SSL Session Encryption") is done here, and node-postgres gets a
// socket that is secure already. Its bytes are copied once more, from OpenSSL's buffers into ours.
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { UnderstudyError, messageOf } from "../../core/errors.ts";
import type { TlsClient } from "../tls.ts";
import type { RawSocket } from "./raw-socket.ts";

/** A length of eight bytes, and the number that stands for the question. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const LIMIT_MS = 5_000;

/**
 * @throws UnderstudyError CONNECTION_FAILED, also where it is another server; the signal's reason.
 */
export async function secureSocket(
  target: { host: string; port: number; tls: TlsClient; signal: AbortSignal },
  readInto: Uint8Array,
): Promise<RawSocket> {
  const { host, port, tls } = target;
  const limit = AbortSignal.timeout(LIMIT_MS);
  const signal = AbortSignal.any([target.signal, limit]);
  const plain = createConnection({ host, port, noDelay: true });
  // Whoever waits is told by another event.
  plain.on("error", () => {});
  try {
    await once(plain, "connect", { signal });
    await requestTls(plain, signal);
    // Not loaded by agents of one machine.
    const { connect } = process.getBuiltinModule("node:tls");
    const socket = connect({ socket: plain, servername: tls.name, secureContext: tls.context });
    await once(socket, "secureConnect", { signal });
    return { socket: asUnconnected(socket), tap: (take) => tap(socket, { readInto, take }) };
  } catch (cause) {
    plain.destroy();
    target.signal.throwIfAborted();
    const why = limit.aborted ? `no answer within ${LIMIT_MS / 1_000} s` : messageOf(cause);
    throw new UnderstudyError(
      "CONNECTION_FAILED",
      `cannot connect to PostgreSQL at ${host}:${port} over TLS as ${tls.name}: ${why}`,
      { cause },
    );
  }
}

async function requestTls(plain: Socket, signal: AbortSignal): Promise<void> {
  const answered = once(plain, "data", { signal });
  plain.write(SSL_REQUEST);
  const [answer]: Buffer[] = await answered;
  // More than that one byte was not sent by who holds the key (CVE-2021-23222).
  if (answer?.toString("latin1") !== "S") throw new Error("it does not speak TLS");
}

/** node-postgres connects what it is given. */
function asUnconnected(socket: TLSSocket): Socket {
  return Object.assign(socket, {
    connect: () => {
      process.nextTick(() => socket.emit("connect"));
      return socket;
    },
  });
}

/** Instead of to node-postgres, which reads until now. */
function tap(
  socket: TLSSocket,
  { readInto, take }: { readInto: Uint8Array; take: (bytes: Buffer) => void },
): void {
  const buffer = Buffer.from(readInto.buffer, readInto.byteOffset, readInto.byteLength);
  socket.removeAllListeners("data");
  socket.on("data", (chunk: Buffer) => {
    for (let from = 0; from < chunk.length; from += buffer.length)
      take(buffer.subarray(0, chunk.copy(buffer, 0, from)));
  });
}
