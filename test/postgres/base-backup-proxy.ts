// Stands between a clone and its source and spoils what the source sends: a real connection to a
// real server, with the faults that networks have.
import { type AddressInfo, type Socket, connect, createServer } from "node:net";

/**
 * What to do with bytes from the server, which the caller may change: hand on; hand on and spoil
 * nothing further; close both sides; or hold everything back from here on.
 */
export type Fault = "pass" | "once" | "cut" | "hang";

export async function faultyProxy(
  serverPort: number,
  spoil: (chunk: Buffer) => Fault,
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(serverPort, "127.0.0.1");
    let fault: Fault = "pass";
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.on("data", (chunk) => server.write(chunk));
    server.on("data", (chunk: Buffer) => {
      if (fault === "pass") fault = spoil(chunk);
      if (fault === "cut") server.destroy();
      else if (fault === "hang") server.pause();
      else if (!client.write(chunk)) {
        server.pause();
        client.once("drain", () => server.resume());
      }
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
