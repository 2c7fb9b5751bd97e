// A server on the loopback address that says what a test has written down for it, byte by byte. For
// the transport alone: what the Kubernetes API means by its answers is tested against the real one.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ApiAccess } from "../../src/kubernetes-api/access.ts";
import { Secret } from "../../src/core/secret.ts";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Answers one request. */
export type Script = (response: ServerResponse, received: Received) => void | Promise<void>;

export class ScriptedServer implements AsyncDisposable {
  /** In the order of their arrival. */
  readonly received: Received[] = [];
  readonly #server: Server;
  readonly #scripts: Script[];

  private constructor(scripts: readonly Script[]) {
    this.#scripts = [...scripts];
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /** @param scripts one for each request, in order; the last one for all that come after it. */
  static async start(...scripts: readonly Script[]): Promise<ScriptedServer> {
    const server = new ScriptedServer(scripts);
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  /** With these tokens, one after the other as they are asked for anew. */
  access(...tokens: readonly string[]): ApiAccess {
    const { port } = this.#server.address() as AddressInfo;
    let at = 0;
    return {
      server: new URL(`http://127.0.0.1:${port}`),
      credentials: async ({ renew }) => {
        if (renew) at += 1;
        const token = tokens[Math.min(at, tokens.length - 1)];
        const held = token === undefined ? null : new Secret(token);
        return { authority: null, token: held, certificate: null };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    const received = {
      method: request.method ?? "",
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: request.headers,
      body: Buffer.concat(chunks).toString("utf8"),
    };
    this.received.push(received);
    const script = this.#scripts.length > 1 ? this.#scripts.shift() : this.#scripts[0];
    await script?.(response, received);
  }
}

/** A whole answer. */
export function answer(status: number, document: unknown, headers = {}): Script {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(document));
  };
}

/** What the API server says when it refuses. */
export function refusal(status: number, fields: Record<string, unknown>, headers = {}): Script {
  const document = { kind: "Status", apiVersion: "v1", status: "Failure", code: status, ...fields };
  return answer(status, document, headers);
}

/** Says nothing, ever. */
export const silence: Script = () => {};
