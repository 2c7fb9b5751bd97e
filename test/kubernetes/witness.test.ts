// How an agent asks the Kubernetes API whether another member's run is over, through a scripted API
// server: soon, not twice at once, and not for ever as often.
import assert from "node:assert/strict";
import { test } from "node:test";
import { KubernetesWitness } from "../../src/agent/kubernetes-witness.ts";
import { newRecord } from "../../src/core/record.ts";
import { KubernetesApi } from "../../src/kubernetes-api/api.ts";
import { eventually } from "../support/eventually.ts";
import { HandClock } from "../support/hand-clock.ts";
import { answer, refusal, ScriptedServer, silence, type Script } from "./scripted-server.ts";

const TTL_MS = 10_000;

async function witness(...scripts: readonly Script[]) {
  const opened = new AsyncDisposableStack();
  const server = opened.use(await ScriptedServer.start(...scripts));
  const api = opened.use(new KubernetesApi({ access: server.access() }));
  const clock = new HandClock();
  const address = { host: "10.0.0.1", port: 5432, apiPort: 8008, tags: {}, session: "run-1" };
  const members = { "izdb-1": address };
  const record = newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: TTL_MS, members });
  const troubles: string[] = [];
  let isProven = false;
  const subject = new KubernetesWitness({
    api,
    namespace: "shop",
    container: "postgres",
    podOf: (member) => `${member}-0`,
    clock,
    record: () => record,
    onProof: () => (isProven = true),
    onTrouble: (why) => troubles.push(why),
  });
  const look = () => subject.hasNoServer("izdb-1");
  const asked = () => server.received.length;
  return {
    clock,
    look,
    asked,
    troubles,
    isProven: () => isProven,
    isAsked: (times: number) =>
      eventually(`it is asked ${times} times`, () => {
        look();
        return asked() >= times;
      }),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

const AWAY = refusal(403, { reason: "Forbidden", message: "pods are not for you" });

test("a server that is slow is not asked the same again before it has answered", async () => {
  await using subject = await witness(silence);
  await subject.isAsked(1);
  for (let times = 0; times < 30; times += 1) {
    await subject.clock.pass(1_000);
    subject.look();
  }
  assert.equal(subject.asked(), 1);
});

test("a run is asked for ten times a second for a lease, then more rarely, and its trouble is told once", async () => {
  await using subject = await witness(AWAY);
  for (const times of [1, 2, 3, 4, 5]) {
    await subject.isAsked(times);
    await subject.clock.pass(100);
  }
  // Somebody goes on wanting to know.
  for (let ms = 500; ms < TTL_MS; ms += 5_000) {
    await subject.clock.pass(5_000);
    await subject.isAsked(subject.asked() + 1);
  }
  const before = subject.asked();
  for (let ms = 0; ms < 1_500; ms += 100) {
    await subject.clock.pass(100);
    subject.look();
  }
  assert.equal(subject.asked(), before);
  await subject.clock.pass(500);
  await subject.isAsked(before + 1);
  await eventually("its trouble is told", () => subject.troubles.length > 0);
  assert.equal(subject.troubles.length, 1);
});

test("a run that is over is asked for no more", async () => {
  const terminated = {
    reason: "Error",
    containerID: "containerd://a",
    message: "understudy session run-1\n",
  };
  const ended = { name: "postgres", state: { terminated } };
  const named = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "izdb-1-0", resourceVersion: "1" },
  };
  const pod = { ...named, status: { containerStatuses: [ended] } };
  await using subject = await witness(answer(200, pod));
  assert.equal(subject.look(), false);
  await eventually("it is proven", () => subject.isProven(), { limitMs: 30_000 });
  const before = subject.asked();
  assert.equal(subject.look(), true);
  assert.equal(subject.asked(), before);
});
