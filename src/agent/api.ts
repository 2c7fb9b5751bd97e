// The agent's HTTP API, on the member's own address: status and health for everybody, requests for
// those who have the cluster's token.
import { timingSafeEqual, createHash } from "node:crypto";
import { serve, type ServerType } from "@hono/node-server";
import { Hono } from "hono";
import * as v from "valibot";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { MemberStatus } from "../core/member-status.ts";
import type { Secret } from "../core/secret.ts";

/** What may be asked of an agent. Each resolves when it is done. */
export interface AgentRequests {
  status(): Promise<MemberStatus>;
  /** From memory, without asking PostgreSQL: for balancers that ask each second. */
  role(): "primary" | "standby" | "none";
  switchover(request: { to: string; dryRun: boolean }): Promise<void>;
  /** Ends PostgreSQL in place and starts it again. */
  restart(): Promise<void>;
  /** Reads the specification again and has the server take it up. */
  reload(): Promise<void>;
  /** Throws this standby's data away and copies the primary. */
  reclone(): Promise<void>;
  /** Waits until this standby has replayed beyond a position. */
  awaitReplay(request: { member: string; beyond: string; timeoutMs: number }): Promise<void>;
  /** Stops PostgreSQL, gives up the lease and ends the agent. */
  shutDown(): Promise<void>;
}

const ANSWER_LIMIT_MS = 500;

const switchoverBody = v.object({ to: v.string(), dryRun: v.optional(v.boolean(), false) });
const awaitReplayBody = v.object({ member: v.string(), beyond: v.string(), timeoutMs: v.number() });

/** Listens until it is closed. @throws UnderstudyError PORT_TAKEN. */
export async function serveApi(options: {
  host: string;
  port: number;
  token: Secret;
  requests: AgentRequests;
}): Promise<AsyncDisposable> {
  const app = buildApi(options.token, options.requests);
  const server = await new Promise<ServerType>((resolve, reject) => {
    const listening = serve({ fetch: app.fetch, hostname: options.host, port: options.port }, () =>
      resolve(listening),
    );
    listening.once("error", (cause) =>
      reject(
        new UnderstudyError(
          "PORT_TAKEN",
          `cannot listen for control requests on ${options.host}:${options.port}: ${messageOf(cause)}`,
          { cause },
        ),
      ),
    );
  });
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Answers under way are let through, among them the one that asked for this end.
        setTimeout(() => {
          if ("closeAllConnections" in server) server.closeAllConnections();
        }, ANSWER_LIMIT_MS).unref();
      }),
  };
}

function buildApi(token: Secret, requests: AgentRequests): Hono {
  const app = new Hono();
  app.onError((thrown, context) => {
    const error =
      thrown instanceof UnderstudyError
        ? thrown
        : new UnderstudyError("INTERNAL", messageOf(thrown), { cause: thrown });
    return context.json(error.toJSON(), error.code === "UNAUTHORIZED" ? 401 : 409);
  });
  app.get("/status", async (context) => context.json(await requests.status()));
  app.get("/primary", (context) => context.body(null, requests.role() === "primary" ? 200 : 503));
  app.get("/standby", (context) => context.body(null, requests.role() === "standby" ? 200 : 503));
  app.get("/health", (context) => context.body(null, requests.role() === "none" ? 503 : 200));
  app.get("/liveness", (context) => context.body(null, 200));
  app.use("*", async (context, next) => {
    if (!isAuthorized(context.req.header("authorization"), token))
      throw new UnderstudyError(
        "UNAUTHORIZED",
        "the control request did not carry the cluster's token",
      );
    await next();
  });
  app.post("/switchover", async (context) => {
    await requests.switchover(parseBody(switchoverBody, await context.req.json()));
    return context.json({});
  });
  app.post("/await-replay", async (context) => {
    await requests.awaitReplay(parseBody(awaitReplayBody, await context.req.json()));
    return context.json({});
  });
  for (const name of ["restart", "reload", "reclone", "shutDown"] as const)
    app.post(`/${name === "shutDown" ? "shut-down" : name}`, async (context) => {
      await requests[name]();
      return context.json({});
    });
  return app;
}

function isAuthorized(header: string | undefined, token: Secret): boolean {
  return timingSafeEqual(digest(header ?? ""), digest(`Bearer ${token.reveal()}`));
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
  throw new UnderstudyError(
    "USAGE",
    `the control request is malformed: ${parsed.issues[0].message}`,
  );
}
