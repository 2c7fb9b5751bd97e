// One HTTP exchange with the Kubernetes API: a whole answer, or an answer that streams. Knows of
// deadlines and of connections, not of objects.
import type { IncomingMessage } from "node:http";
import type { Agent, RequestOptions } from "node:https";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import type { Credentials } from "./access.ts";
import { http, https } from "./node-https.ts";

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body?: string;
  /** Beside what every request has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole exchange; of one that streams, until the answer begins. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** For people: "read Lease shop/izdb". */
  readonly purpose: string;
}

export interface Answer {
  readonly status: number;
  /** Null where the server names no time. */
  readonly retryAfterMs: number | null;
  readonly text: string;
}

export interface Line {
  readonly server: URL;
  /** Of the protocol that the server's address names. */
  readonly agent: Agent;
  readonly credentials: Credentials;
}

/** A list of thousands of pods has some tens of megabytes. */
const ANSWER_LIMIT_BYTES = 128 * 1024 * 1024;
const REFUSAL_LIMIT_BYTES = 64 * 1024;

/**
 * @throws UnderstudyError KUBERNETES_UNAVAILABLE when no answer came, or not in time: the server
 * may have done what was asked. The signal's reason when that has ended it.
 */
export async function exchange(line: Line, call: Call): Promise<Answer> {
  return within(call, async (signal) => {
    const response = await begin(line, { call, signal });
    return {
      status: response.statusCode ?? 500,
      retryAfterMs: retryAfterMs(response),
      text: await textOf(response),
    };
  });
}

/**
 * An answer of which the body is read by the caller, who also ends it (`destroy`); or a refusal, of
 * which all is read in time that is needed to know what it is about.
 * @throws UnderstudyError as `exchange`.
 */
export async function openStream(
  line: Line,
  call: Call,
): Promise<
  | { readonly body: IncomingMessage; readonly refused: null }
  | { readonly body: null; readonly refused: Omit<Answer, "retryAfterMs"> }
> {
  return within(call, async (signal) => {
    const body = await begin(line, { call, signal });
    const status = body.statusCode ?? 500;
    if (status < 300) return { body, refused: null };
    return { body: null, refused: { status, text: await beginningOf(body) } };
  });
}

/** A server, or a proxy before it, may write on for ever. */
async function beginningOf(body: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= REFUSAL_LIMIT_BYTES) break;
    }
  } finally {
    body.destroy();
  }
  return Buffer.concat(chunks).toString("utf8", 0, REFUSAL_LIMIT_BYTES);
}

async function within<T>(call: Call, perform: (signal: AbortSignal) => Promise<T>): Promise<T> {
  call.signal?.throwIfAborted();
  // A timer of its own, that ends with the exchange: a stream outlives the time for its beginning.
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), call.timeoutMs);
  const { signal: wish } = call;
  const signal = wish === undefined ? limit.signal : AbortSignal.any([limit.signal, wish]);
  try {
    return await perform(signal);
  } catch (cause) {
    wish?.throwIfAborted();
    const why = limit.signal.aborted
      ? `no answer within ${tellSeconds(call.timeoutMs)} s`
      : messageOf(cause) || codeOf(cause);
    throw new UnderstudyError("KUBERNETES_UNAVAILABLE", `cannot ${call.purpose}: ${why}`, {
      cause,
    });
  } finally {
    clearTimeout(timer);
  }
}

function begin(
  { server, agent, credentials }: Line,
  { call, signal }: { call: Call; signal: AbortSignal },
): Promise<IncomingMessage> {
  const { authority, certificate } = credentials;
  const options: RequestOptions = {
    method: call.method,
    agent,
    signal,
    headers: headersOf(call, credentials),
    ...(authority === null ? {} : { ca: authority }),
    ...(certificate === null ? {} : { cert: certificate.chain, key: certificate.key.reveal() }),
  };
  const url = new URL(call.path, server);
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
  const { request } = server.protocol === "http:" ? http : https;
  return new Promise((resolve, reject) => {
    const sent = request(url, options, resolve);
    sent.once("error", reject);
    sent.end(call.body);
  });
}

function headersOf(call: Call, { token }: Credentials): Record<string, string> {
  return {
    ...call.headers,
    accept: "application/json",
    "user-agent": "understudy",
    ...(token === null ? {} : { authorization: `Bearer ${token.reveal()}` }),
    ...(call.contentType === undefined ? {} : { "content-type": call.contentType }),
    // Node frames the body of some methods only; that of a DELETE would run into the next request.
    ...(call.body === undefined ? {} : { "content-length": String(Buffer.byteLength(call.body)) }),
  };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > ANSWER_LIMIT_BYTES)
      throw new RangeError(`the answer is longer than ${ANSWER_LIMIT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** In whole seconds; the other form, a date, is never used by the API server. */
function retryAfterMs({ headers }: IncomingMessage): number | null {
  const text = headers["retry-after"];
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : null;
}

/** To a tenth: what is left of a limit is a little less than was asked for. */
function tellSeconds(ms: number): number {
  return Math.max(1, Math.round(ms / 100)) / 10;
}
