// A socket that reads into one buffer of its own instead of a new one for each read: at two
// gigabytes of base backup the allocations would cost more than the copying. Until it is tapped it
// behaves as any socket (for the login); afterwards its bytes go to the tap and nowhere else.
import { Socket } from "node:net";

export interface RawSocket {
  readonly socket: Socket;
  /** From now on every read goes to `take`, whose argument is only valid during the call. */
  readonly tap: (take: (bytes: Buffer) => void) => void;
}

export function rawSocket(readInto: Uint8Array): RawSocket {
  let tapped: ((bytes: Buffer) => void) | null = null;
  const socket = new Socket({
    onread: {
      buffer: readInto,
      callback: (length: number, buffer: Uint8Array): boolean => {
        const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, length);
        if (tapped) tapped(bytes);
        else socket.emit("data", Buffer.from(bytes));
        return true;
      },
    },
  });
  return {
    socket,
    tap: (take) => {
      tapped = take;
    },
  };
}
