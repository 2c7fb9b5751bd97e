// The agents' HTTP API from the asking side: one request, one answer, a deadline. For other agents
// and for the commands.
import { UnderstudyError, ERRORS, messageOf, type ErrorCode } from "../core/errors.ts";
import type { MemberReach, MemberStatus } from "../core/member-status.ts";
import type { Secret } from "../core/secret.ts";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { SecureContext } from "node:tls";
import { request } from "./node-http.ts";

export interface AgentAddress {
  readonly host: string;
  readonly apiPort: number;
}

/** How an agent is known for that member's. */
export interface Trust {
  /** Whoever vouches for members, and the own certificate. */
  readonly by: SecureContext;
  /** Its name is in its certificate. The record could name another: it is not asked. */
  readonly member: string;
}

export interface AskOptions {
  /** Null: where agents speak no TLS. Else nothing is said to one that does not. */
  readonly trust: Trust | null;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface PostOptions extends AskOptions {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly token: Secret;
}

/** @throws UnderstudyError MEMBER_UNREACHABLE. */
export async function askStatus(agent: AgentAddress, options: AskOptions): Promise<MemberStatus> {
  return (await send(agent, { ...options, method: "GET", path: "/status" })) as MemberStatus;
}

/** Costs less than its status. @throws UnderstudyError MEMBER_UNREACHABLE. */
export async function askReach(agent: AgentAddress, options: AskOptions): Promise<MemberReach> {
  return (await send(agent, { ...options, method: "GET", path: "/reach" })) as MemberReach;
}

/** @throws UnderstudyError MEMBER_UNREACHABLE, TIMED_OUT, or whatever the agent answered. */
export async function postToAgent(agent: AgentAddress, options: PostOptions): Promise<unknown> {
  return send(agent, { ...options, method: "POST" });
}

interface SendOptions extends AskOptions {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly token?: Secret;
}

async function send(agent: AgentAddress, options: SendOptions): Promise<unknown> {
  const limit = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
  try {
    const { status, text } = await exchange(agent, { ...options, signal });
    const answer: unknown = text === "" ? null : JSON.parse(text);
    if (status < 300) return answer;
    throw remoteError(answer, status);
  } catch (cause) {
    if (cause instanceof UnderstudyError) throw cause;
    options.signal?.throwIfAborted();
    const where = `${agent.host}:${agent.apiPort}`;
    if (limit.aborted && options.method === "POST")
      throw new UnderstudyError(
        "TIMED_OUT",
        `the agent at ${where} has not answered ${options.path} within ${options.timeoutMs / 1000} s; it may still be at it`,
        { cause },
      );
    const why = limit.aborted ? `no answer within ${options.timeoutMs / 1000} s` : messageOf(cause);
    throw new UnderstudyError(
      "MEMBER_UNREACHABLE",
      `the agent at ${where} does not answer: ${why}`,
      { cause },
    );
  }
}

function exchange(
  agent: AgentAddress,
  options: SendOptions & { signal: AbortSignal },
): Promise<{ status: number; text: string }> {
  const body = options.body === undefined ? null : JSON.stringify(options.body);
  return new Promise((resolve, reject) => {
    const call = requestTo(agent, options.trust)(
      {
        method: options.method,
        path: options.path,
        signal: options.signal,
        headers: {
          ...(body === null ? {} : { "content-type": "application/json" }),
          ...(options.token === undefined
            ? {}
            : { authorization: `Bearer ${options.token.reveal()}` }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 500,
            text: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    call.on("error", reject);
    call.end(body ?? undefined);
  });
}

/**
 * The beginning of a request, by TLS wherever somebody is trusted: what an agent answers under
 * another name, or without one, is nobody's word, and it learns no token.
 */
export function requestTo(
  { host, apiPort: port }: AgentAddress,
  trust: Trust | null,
): (options: RequestOptions, onResponse?: (response: IncomingMessage) => void) => ClientRequest {
  const at = { host, port, agent: false } as const;
  if (trust === null) return (options, onResponse) => request({ ...at, ...options }, onResponse);
  const tls = { servername: trust.member, secureContext: trust.by };
  const { request: secureRequest } = process.getBuiltinModule("node:https");
  return (options, onResponse) => secureRequest({ ...at, ...tls, ...options }, onResponse);
}

/** The agent's own error, as it was thrown there. */
export function remoteError(answer: unknown, status: number): UnderstudyError {
  if (typeof answer === "object" && answer !== null && "code" in answer && "message" in answer) {
    const code = String(answer.code);
    const hint = "hint" in answer ? { hint: String(answer.hint) } : {};
    if (isErrorCode(code)) return new UnderstudyError(code, String(answer.message), hint);
  }
  return new UnderstudyError("AGENT_FAILED", `the agent answered with HTTP status ${status}`);
}

function isErrorCode(code: string): code is ErrorCode {
  return code in ERRORS;
}
