import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { KubernetesApi } from "../../src/kubernetes-api/api.ts";
import { leadWhenHolding } from "../../src/kubernetes/operator/leadership.ts";
import { eventually } from "../support/eventually.ts";
import { LeaseServer } from "./lease-server.ts";
import { refusal } from "./scripted-server.ts";

const PLACE = { namespace: "understudy", name: "understudy-operator" };
/** Short, so that the test is; who leads when depends on the order of the deadlines alone. */
const DURATION_MS = 500;

/** Operators that want to lead, and what they have done. */
class Contest implements AsyncDisposable {
  /** "a begins", "a ends", in the order in which it happened. */
  readonly told: string[] = [];
  readonly #server: LeaseServer;
  readonly #ends: (() => Promise<void>)[] = [];

  constructor(server: LeaseServer) {
    this.#server = server;
  }

  /** @returns what ends it. */
  enter(self: string): () => Promise<void> {
    const api = new KubernetesApi({ access: this.#server.access() });
    const end = new AbortController();
    const done = leadWhenHolding({
      api,
      place: PLACE,
      self,
      durationMs: DURATION_MS,
      lead: (signal) => this.#lead(self, signal),
      onTrouble: () => {},
      signal: end.signal,
    });
    const leave = async () => {
      end.abort();
      await done;
      api[Symbol.dispose]();
    };
    this.#ends.push(leave);
    return leave;
  }

  async says(line: string): Promise<void> {
    await eventually(line, () => this.told.includes(line), { seen: () => this.told.join() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#ends.map((end) => end()));
  }

  async #lead(self: string, signal: AbortSignal): Promise<void> {
    this.told.push(`${self} begins`);
    if (!signal.aborted) await once(signal, "abort");
    this.told.push(`${self} ends`);
  }
}

/** Between one's beginning and its end there is no other's. */
function oneAtATime(told: readonly string[]): void {
  for (let at = 0; at + 1 < told.length; at += 2) {
    const [self] = (told[at] ?? "").split(" ");
    assert.deepEqual(told.slice(at, at + 2), [`${self} begins`, `${self} ends`]);
  }
}

test("of two one leads, and when that ends the other begins", async () => {
  await using server = await LeaseServer.start();
  await using contest = new Contest(server);
  const leave = contest.enter("a");
  await contest.says("a begins");
  contest.enter("b");
  await leave();
  await contest.says("b begins");
  oneAtATime(contest.told);
});

test("who cannot renew stops before another may begin", async () => {
  await using server = await LeaseServer.start();
  await using contest = new Contest(server);
  contest.enter("a");
  await contest.says("a begins");
  server.fail(refusal(403, { reason: "Forbidden" }));
  await contest.says("a ends");
  contest.enter("b");
  server.fail(null);
  await eventually("another lead", () => contest.told.length > 2);
  oneAtATime(contest.told);
});

test("the lease of one that died without a word is taken when it has run out", async () => {
  await using server = await LeaseServer.start();
  await using contest = new Contest(server);
  const { namespace, name } = PLACE;
  const spec = { holderIdentity: "dead", leaseDurationSeconds: 1 };
  const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", spec };
  server.found({ ...lease, metadata: { namespace, name } });
  contest.enter("a");
  await contest.says("a begins");
});
