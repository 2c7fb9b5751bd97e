// Which certificates a member shows now.
import { once } from "node:events";
import { connect, type SecureContext, type TLSSocket } from "node:tls";
import { secureSocket } from "../../src/postgres/base-backup/secure-socket.ts";

const LIMIT_MS = 5_000;

/** The serial numbers of its agent's and of its server's. */
export async function shownCertificates(
  at: { host: string; port: number; apiPort: number; member: string },
  context: SecureContext,
): Promise<{ agent: string; server: string }> {
  const { host, port, apiPort, member } = at;
  const signal = AbortSignal.timeout(LIMIT_MS);
  const files = { server: "", client: "", trusted: "" };
  const target = { host, port, tls: { name: member, context, files }, signal };
  const { socket: server } = await secureSocket(target, new Uint8Array(1_024));
  const agent = connect({ host, port: apiPort, servername: member, secureContext: context });
  await once(agent, "secureConnect", { signal });
  return { agent: serialOf(agent), server: serialOf(server as TLSSocket) };
}

function serialOf(socket: TLSSocket): string {
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  return certificate?.serialNumber ?? "";
}
