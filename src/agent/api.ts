// The agent's HTTP API, on the member's own address: status and health for everybody, requests for
// those who have the cluster's token.
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import type { Socket } from "node:net";
import * as v from "valibot";
import { UnderstudyError, assert, messageOf } from "../core/errors.ts";
import type { MemberReach, MemberStatus } from "../core/member-status.ts";
import type { Secret } from "../core/secret.ts";
import type { Claim } from "./confirmation.ts";
import type { AskedOfDead, ToldOfDead } from "./dead-wal.ts";
import type { SavedOnRequest } from "./effects/save-on-request.ts";
import type { Entry } from "./journal.ts";
import type { Certificate } from "./member-tls.ts";
import { createServer } from "./node-http.ts";
import { PIECE_BYTES, type WalPiece } from "../postgres/wal-rescue/told-wal.ts";
import { TOKEN_HEADER } from "./token-header.ts";

/** For an event: one sentence, and what it rests on. */
export interface Decided {
  /** Left out: that it is to fail over. */
  readonly event?: string | undefined;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What may be asked of an agent. Each resolves when it is done. */
export interface AgentRequests {
  status(): Promise<MemberStatus>;
  /** The part of it that others count on, without the rest of the work. */
  reach(): Promise<MemberReach>;
  /** From memory, without asking PostgreSQL: for balancers that ask each second. */
  role(): "primary" | "standby" | "none";
  /** Whether the agent's loop turns; one that hangs is to be started again. */
  isAlive(): boolean;
  /** Whether applications are to read from it while it is a standby. */
  takesReads(): boolean;
  switchover(request: { to: string; dryRun: boolean }): Promise<void>;
  /** Ends PostgreSQL in place and starts it again. */
  restart(): Promise<void>;
  /** Reads the specification again and has the server take it up. */
  reload(): Promise<void>;
  /** Throws this standby's data away and copies the primary. */
  reclone(): Promise<void>;
  /** Waits until this standby has replayed beyond a position. */
  awaitReplay(request: { member: string; beyond: string; timeoutMs: number }): Promise<void>;
  /** Before a person names it to lead: see effects/save-on-request.ts. */
  saveWal(request: { term: number }): Promise<SavedOnRequest>;
  /** Of its WAL, for one that is to lead while its own server is down: dead-wal.ts. */
  tellWal(request: AskedOfDead & { lsn: string }): Promise<ToldOfDead>;
  readWal(request: AskedOfDead & WalPiece): Promise<{ readonly wal: string }>;
  /** Keeps among its events what a person has decided. */
  noteDecision(decision: Decided): Promise<void>;
  /** The newest of its events, oldest first. */
  readEvents(request: { count: number }): Promise<{ events: readonly Entry[] }>;
  /** Promises the leader, which cannot renew its lease, not to succeed it by time. */
  confirm(request: Claim & { member: string }): Promise<void>;
  /** Stops PostgreSQL, gives up the lease and ends the agent. */
  shutDown(): Promise<void>;
}

/** Answers under way at the end are let through for so long. */
const ANSWER_LIMIT_MS = 500;
/** Far beyond any request of ours. */
const BODY_LIMIT_BYTES = 64 * 1024;
/** A caller that sends slower than this is cut off (Node's default is five minutes). */
const REQUEST_LIMIT_MS = 10_000;
/** Node's default for a handshake is two minutes. */
const TLS = { minVersion: "TLSv1.2", handshakeTimeout: REQUEST_LIMIT_MS } as const;

const switchoverBody = v.object({ to: v.string(), dryRun: v.optional(v.boolean(), false) });
const awaitReplayBody = v.object({ member: v.string(), beyond: v.string(), timeoutMs: v.number() });

const confirmBody = v.object({
  member: v.string(),
  leader: v.string(),
  term: v.number(),
  ttlMs: v.number(),
  members: v.array(v.string()),
});

const askedOfDead = { member: v.string(), term: v.number() };
const tellWalBody = v.object({ ...askedOfDead, lsn: v.string() });
const lengthSchema = v.pipe(v.number(), v.integer(), v.minValue(0));
const readWalBody = v.object({
  ...askedOfDead,
  name: v.string(),
  offset: lengthSchema,
  length: v.pipe(lengthSchema, v.maxValue(PIECE_BYTES)),
});

const saveWalBody = v.object({ term: v.number() });
const readEventsBody = v.object({ count: v.pipe(v.number(), v.integer(), v.minValue(0)) });
const noteDecisionBody = v.object({
  event: v.optional(v.pipe(v.string(), v.maxLength(50))),
  message: v.pipe(v.string(), v.maxLength(2_000)),
  details: v.record(v.string(), v.unknown()),
});

interface Answer {
  readonly status: number;
  /** Sent as JSON; nothing where it is undefined. */
  readonly document?: unknown;
  /** The answer begins, and ends with this agent (presence.ts). */
  readonly endsWithAgent?: boolean;
}

/** Whoever asks for one of these has the cluster's token. What it resolves to is the answer. */
type Control = (body: unknown) => Promise<unknown>;

export interface ServedApi extends AsyncDisposable {
  /** Who connects from now on is shown this one. Only where there was one before. */
  readonly renew: (certificate: Certificate) => void;
}

/** Listens until it is closed. @throws UnderstudyError PORT_TAKEN. */
export async function serveApi(options: {
  host: string;
  port: number;
  token: Secret;
  requests: AgentRequests;
  /** Null: without TLS. */
  certificate: Certificate | null;
}): Promise<ServedApi> {
  const answer = answererOf(options.token, options.requests);
  const held = new Set<ServerResponse>();
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(request)
      .catch((thrown: unknown) => answerOfError(thrown))
      .then(({ status, document, endsWithAgent }) => {
        response.statusCode = status;
        if (endsWithAgent === true) return hold(response, held);
        if (document === undefined) return response.end();
        response.setHeader("content-type", "application/json");
        return response.end(JSON.stringify(document));
      });
  };
  const { server, renew } = serverOf(options.certificate, listener);
  const sockets = socketsOf(server);
  await listen(server, options);
  return {
    renew,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const response of held) response.end();
        // Among them the one that asked for this end.
        setTimeout(() => sockets.forEach((socket) => socket.destroy()), ANSWER_LIMIT_MS).unref();
      }),
  };
}

function serverOf(
  certificate: Certificate | null,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): { server: Server | SecureServer; renew: ServedApi["renew"] } {
  const options = { requestTimeout: REQUEST_LIMIT_MS };
  if (certificate === null)
    return { server: createServer(options, listener), renew: () => assert(false, "without TLS") };
  const https = process.getBuiltinModule("node:https");
  const server = https.createServer({ ...options, ...certificate, ...TLS }, listener);
  return { server, renew: (renewed) => server.setSecureContext({ ...renewed, ...TLS }) };
}

/** As they are accepted: one that never begins TLS is none of the server's connections to it. */
function socketsOf(server: Server | SecureServer): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}

function hold(response: ServerResponse, held: Set<ServerResponse>): void {
  held.add(response);
  response.once("close", () => held.delete(response));
  response.flushHeaders();
}

function listen(server: Server | SecureServer, at: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new UnderstudyError(
          "PORT_TAKEN",
          `cannot listen for control requests on ${at.host}:${at.port}: ${messageOf(cause)}`,
          { cause },
        ),
      ),
    );
    server.listen(at.port, at.host, () => resolve());
  });
}

function answererOf(
  token: Secret,
  requests: AgentRequests,
): (request: IncomingMessage) => Promise<Answer> {
  const looks = looksOf(requests);
  const controls = controlsOf(requests);
  return async (request) => {
    const { method, url = "" } = request;
    const [path = ""] = url.split("?");
    const look = method === "GET" || method === "HEAD" ? looks.get(path) : undefined;
    if (look !== undefined) return look();
    if (!isAuthorized(request.headers, token))
      throw new UnderstudyError(
        "UNAUTHORIZED",
        "the control request did not carry the cluster's token",
      );
    if (method === "GET" && path === "/presence") return { status: 200, endsWithAgent: true };
    const control = method === "POST" ? controls.get(path) : undefined;
    if (control === undefined)
      return answerOfError(new UnderstudyError("USAGE", `an agent has no ${method} ${path}`), 404);
    return { status: 200, document: (await control(await readBody(request))) ?? {} };
  };
}

/** For everybody who reaches the port, and for balancers, which read the status code alone. */
function looksOf(requests: AgentRequests): ReadonlyMap<string, () => Promise<Answer>> {
  return new Map<string, () => Promise<Answer>>([
    ["/status", async () => ({ status: 200, document: await requests.status() })],
    ["/reach", async () => ({ status: 200, document: await requests.reach() })],
    ["/primary", () => whether(requests.role() === "primary")],
    ["/standby", () => whether(requests.role() === "standby" && requests.takesReads())],
    ["/health", () => whether(requests.role() !== "none")],
    ["/liveness", () => whether(requests.isAlive())],
  ]);
}

async function whether(isSo: boolean): Promise<Answer> {
  return { status: isSo ? 200 : 503 };
}

function controlsOf(requests: AgentRequests): ReadonlyMap<string, Control> {
  return new Map<string, Control>([
    ["/switchover", (body) => requests.switchover(parseBody(switchoverBody, body))],
    ["/await-replay", (body) => requests.awaitReplay(parseBody(awaitReplayBody, body))],
    ["/save-wal", (body) => requests.saveWal(parseBody(saveWalBody, body))],
    ["/tell-wal", (body) => requests.tellWal(parseBody(tellWalBody, body))],
    ["/read-wal", (body) => requests.readWal(parseBody(readWalBody, body))],
    ["/note-decision", (body) => requests.noteDecision(parseBody(noteDecisionBody, body))],
    ["/read-events", (body) => requests.readEvents(parseBody(readEventsBody, body))],
    ["/confirm", (body) => requests.confirm(parseBody(confirmBody, body))],
    ["/restart", () => requests.restart()],
    ["/reload", () => requests.reload()],
    ["/reclone", () => requests.reclone()],
    ["/shut-down", () => requests.shutDown()],
  ]);
}

function answerOfError(thrown: unknown, status?: number): Answer {
  const error =
    thrown instanceof UnderstudyError
      ? thrown
      : new UnderstudyError("INTERNAL", messageOf(thrown), { cause: thrown });
  const usual = error.code === "UNAUTHORIZED" ? 401 : 409;
  return { status: status ?? usual, document: error.toJSON() };
}

/** An empty body is an empty object. @throws UnderstudyError USAGE. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > BODY_LIMIT_BYTES) throw malformed(`it is longer than ${BODY_LIMIT_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return size === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    throw malformed(messageOf(cause));
  }
}

/**
 * The API server of Kubernetes passes requests on, but for their authorization, which is its own.
 */
function isAuthorized(headers: IncomingHttpHeaders, token: Secret): boolean {
  const { authorization = "" } = headers;
  const own = headers[TOKEN_HEADER];
  const given = typeof own === "string" ? `Bearer ${own}` : authorization;
  return timingSafeEqual(digest(given), digest(`Bearer ${token.reveal()}`));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function parseBody<Schema extends v.GenericSchema>(
  schema: Schema,
  body: unknown,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, body);
  if (parsed.success) return parsed.output;
  throw malformed(parsed.issues[0].message);
}

function malformed(why: string): UnderstudyError {
  return new UnderstudyError("USAGE", `the control request is malformed: ${why}`);
}
