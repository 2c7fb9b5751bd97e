// What an agent serves while it waits to enter its cluster, for the store or for the end of the run
// before it: that it is alive, so that its container is not started again for waiting, and to
// everybody else that it is not there yet.
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { Certificate } from "./member-tls.ts";
import { createServer } from "./node-http.ts";
import type { Pulse } from "./pulse.ts";

export interface WaitingApi {
  readonly member: string;
  readonly host: string;
  readonly port: number;
  /** Null: without TLS. */
  readonly certificate: Certificate | null;
  readonly pulse: Pulse;
  /** What it waits for; null: it has only begun. */
  readonly why: () => string | null;
  /** Called when the port cannot be had: it waits all the same. */
  readonly onTrouble: (why: string) => void;
}

/** Resolves when it listens, or cannot. The port is free again when it is disposed of. */
export async function serveWaiting(api: WaitingApi): Promise<AsyncDisposable> {
  const listener = (
    request: { url?: string | undefined },
    response: { statusCode: number; end: (text?: string) => unknown },
  ): void => {
    const isProbe = request.url === "/liveness";
    response.statusCode = isProbe && api.pulse.isBeating ? 200 : 503;
    response.end(isProbe ? undefined : JSON.stringify(absence(api).toJSON()));
  };
  const server =
    api.certificate === null
      ? createServer(listener)
      : process
          .getBuiltinModule("node:https")
          .createServer({ ...api.certificate, minVersion: "TLSv1.2" }, listener);
  await new Promise<void>((resolve) => {
    server.once("error", (thrown) => {
      api.onTrouble(`cannot tell probes that ${api.member} is alive: ${messageOf(thrown)}`);
      resolve();
    });
    server.listen(api.port, api.host, resolve);
  });
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function absence({ member, why }: WaitingApi): UnderstudyError {
  const reason = why();
  return new UnderstudyError(
    "MEMBER_UNREACHABLE",
    `the agent of ${member} waits to enter its cluster${reason === null ? "" : `: ${reason}`}`,
  );
}
