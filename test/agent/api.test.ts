// The agents' HTTP API over a real socket: who may ask what, and what a caller is told who asks
// wrongly.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { serveApi, type AgentRequests } from "../../src/agent/api.ts";
import { UnderstudyError } from "../../src/core/errors.ts";
import type { MemberReach, MemberStatus } from "../../src/core/member-status.ts";
import { Secret } from "../../src/core/secret.ts";
import { takePortBlock, type PortBlock } from "../support/port-block.ts";

const TOKEN = "the cluster's token";
const asked: unknown[] = [];
let ports: PortBlock;
let api: AsyncDisposable;

const part: { role: "primary" | "standby"; isAlive: boolean; takesReads: boolean } = {
  role: "primary",
  isAlive: true,
  takesReads: true,
};

const requests: AgentRequests = {
  // Only what the transport does with it is looked at here.
  reach: async () => ({ name: "t-1", state: "streaming" }) as MemberReach,
  status: async () => ({ name: "t-1", state: "running" }) as MemberStatus,
  role: () => part.role,
  isAlive: () => part.isAlive,
  takesReads: () => part.takesReads,
  switchover: async (wish) => void asked.push(wish),
  restart: async () => {
    throw new UnderstudyError("SWITCHOVER_REFUSED", "t-1 is busy", { hint: "Wait." });
  },
  reload: () => Promise.reject(new Error("it broke")),
  reclone: async () => {},
  awaitReplay: async (wish) => void asked.push(wish),
  saveWal: async (wish) => {
    asked.push(wish);
    return { savedBytes: 5, lostBytes: 0, lostTransactions: 0, trouble: null };
  },
  tellWal: async () => {
    throw new UnderstudyError("REFUSED", "its server lives");
  },
  readWal: async (wish) => {
    asked.push(wish);
    return { wal: "" };
  },
  noteDecision: async (decided) => void asked.push(decided),
  readEvents: async (wish) => {
    asked.push(wish);
    return { events: [] };
  },
  confirm: async (wish) => void asked.push(wish),
  shutDown: async () => {},
};

before(async () => {
  ports = await takePortBlock();
  const { first: port } = ports;
  api = await serveApi({
    host: "127.0.0.1",
    port,
    token: new Secret(TOKEN),
    requests,
    certificate: null,
  });
});

after(async () => {
  await api[Symbol.asyncDispose]();
  await ports[Symbol.asyncDispose]();
});

test("anybody may look, with GET or HEAD, and with a query behind the path", async () => {
  const status = await ask({ method: "GET", path: "/status?verbose" });
  assert.deepEqual([status.status, status.document], [200, { name: "t-1", state: "running" }]);
  const reach = await ask({ method: "GET", path: "/reach" });
  assert.deepEqual([reach.status, reach.document], [200, { name: "t-1", state: "streaming" }]);
  for (const method of ["GET", "HEAD"])
    for (const [path, expected] of [
      ["/primary", 200],
      ["/standby", 503],
      ["/health", 200],
      ["/liveness", 200],
    ] as const)
      assert.equal((await ask({ method, path })).status, expected, `${method} ${path}`);
});

test("a balancer finds a standby only where reads may go", async () => {
  part.role = "standby";
  for (const takesReads of [true, false]) {
    part.takesReads = takesReads;
    const expected = takesReads ? 200 : 503;
    assert.equal((await ask({ method: "GET", path: "/standby" })).status, expected);
    assert.equal((await ask({ method: "GET", path: "/health" })).status, 200);
  }
  Object.assign(part, { role: "primary", takesReads: true });
});

test("nobody may control, nor learn what there is to control, without the token", async () => {
  for (const path of ["/switchover", "/shut-down", "/nothing", "/status", "//", "/constructor"])
    for (const token of [null, "", "wrong", `${TOKEN}!`]) {
      const answer = await ask({ method: "POST", path, token, body: '{"to":"t-2"}' });
      assert.equal(answer.status, 401, path);
      assert.equal(codeIn(answer.document), "UNAUTHORIZED");
    }
  assert.deepEqual(asked, []);
});

test("a request is passed on as it was meant", async () => {
  const answer = await control("/switchover", '{"to":"t-2"}');
  assert.deepEqual([answer.status, answer.document], [200, {}]);
  assert.deepEqual(asked.splice(0), [{ to: "t-2", dryRun: false }]);
  assert.equal((await control("/reclone", "")).status, 200);
});

test("a request that is wrong is refused with its reason and passed on to nobody", async () => {
  const wrong = [
    ["/switchover", "not json", /malformed/],
    ["/switchover", '{"to":7}', /malformed/],
    ["/switchover", "", /malformed/],
    ["/await-replay", '{"member":"t-2"}', /malformed/],
    ["/switchover", JSON.stringify({ to: "x".repeat(70_000) }), /longer than 65536 bytes/],
  ] as const;
  for (const [path, body, expected] of wrong) {
    const answer = await control(path, body);
    assert.equal(answer.status, 409);
    assert.match(messageIn(answer.document), expected);
  }
  const unknown = await control("/nothing", "{}");
  assert.deepEqual([unknown.status, codeIn(unknown.document)], [404, "USAGE"]);
  assert.deepEqual(asked, []);
});

test("an error arrives with its code, its sentence and its hint", async () => {
  const refused = await control("/restart", "{}");
  assert.deepEqual(
    [refused.status, refused.document],
    [409, { code: "SWITCHOVER_REFUSED", message: "t-1 is busy", hint: "Wait.", details: {} }],
  );
  const broken = await control("/reload", "{}");
  assert.deepEqual([codeIn(broken.document), messageIn(broken.document)], ["INTERNAL", "it broke"]);
});

test("a port that is taken is named", async () => {
  const { first: port } = ports;
  const again = serveApi({
    host: "127.0.0.1",
    port,
    token: new Secret(TOKEN),
    requests,
    certificate: null,
  });
  await assert.rejects(again, { code: "PORT_TAKEN", message: new RegExp(`127.0.0.1:${port}`) });
});

interface Answer {
  readonly status: number | undefined;
  readonly document: unknown;
}

function control(path: string, body: string): Promise<Answer> {
  return ask({ method: "POST", path, token: TOKEN, body });
}

function ask(call: {
  method: string;
  path: string;
  token?: string | null;
  body?: string;
}): Promise<Answer> {
  const { method, path, token = null, body } = call;
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const { first: port } = ports;
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode,
          document: text === "" ? null : JSON.parse(text),
        }),
      );
    });
    sent.on("error", reject).end(body);
  });
}

function codeIn(document: unknown): unknown {
  return typeof document === "object" && document !== null && "code" in document
    ? document.code
    : null;
}

function messageIn(document: unknown): string {
  return typeof document === "object" && document !== null && "message" in document
    ? String(document.message)
    : "";
}

test("an agent whose loop does not turn is not alive, whatever its member's part is", async () => {
  part.isAlive = false;
  try {
    assert.equal((await ask({ method: "GET", path: "/liveness" })).status, 503);
    assert.equal((await ask({ method: "GET", path: "/health" })).status, 200);
  } finally {
    part.isAlive = true;
  }
});
