// A server on the loopback address that says what a test has written down for it, byte by byte. For
// the transport alone: what the Kubernetes API means by its answers is tested against the real one.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { ApiAccess } from "../../src/kubernetes-api/access.ts";
import { Secret } from "../../src/core/secret.ts";
import type { Certificate } from "../support/certificate.ts";

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

  private constructor(scripts: readonly Script[], certificate: Certificate | null) {
    this.#scripts = [...scripts];
    const listener = (request: IncomingMessage, response: ServerResponse) =>
      void this.#answer(request, response);
    this.#server =
      certificate === null
        ? createServer(listener)
        : createTlsServer({ cert: certificate.chain, key: certificate.key }, listener);
  }

  /** @param scripts one for each request, in order; the last one for all that come after it. */
  static async start(...scripts: readonly Script[]): Promise<ScriptedServer> {
    return new ScriptedServer(scripts, null).#listen();
  }

  /** As `start`, over TLS. */
  static async startTls(
    certificate: Certificate,
    ...scripts: readonly Script[]
  ): Promise<ScriptedServer> {
    return new ScriptedServer(scripts, certificate).#listen();
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** With these tokens, one after the other as they are asked for anew. */
  access(...tokens: readonly string[]): ApiAccess {
    let at = 0;
    return {
      server: new URL(`http://127.0.0.1:${this.port}`),
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

  async #listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
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
