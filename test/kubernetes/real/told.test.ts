// A specification that changes while its agents run: on a real Kubernetes API, with agents as in
// pods, and the operator's passes. The kubelets' part, to bring files and to make pods, is a
// test's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { removeMember } from "../../../src/core/record-changes.ts";
import { changeRecord } from "../../../src/store/store.ts";
import { eventually } from "../../support/eventually.ts";
import { agents, operated } from "../operated-cluster.ts";

const PATIENCE = { limitMs: 240_000, stepMs: 500 };

test("parameters, networks and synchronous replication reach running agents, and restarts go one by one", async () => {
  await using subject = await operated();
  const { cluster, change, onePass, told } = subject;
  const first = await cluster.primary({ standbys: 1 });
  const valueOf = async (name: string) =>
    Promise.all(cluster.members.map((member) => cluster.value(member, `SHOW ${name}`)));

  await change({
    postgres: { parameters: { work_mem: "5MB" } },
    access: [{ cidr: "203.0.113.0/24" }],
    sync: { mode: "on" },
  });
  await eventually("the parameter on both", async () => {
    return (await valueOf("work_mem")).every((each) => each === "5MB");
  });
  for (const member of cluster.members) {
    const rules = "SELECT count(*)::int FROM pg_hba_file_rules WHERE address = '203.0.113.0'";
    await eventually(
      "the network's rule",
      async () => Number(await cluster.value(member, rules)) > 0,
    );
  }
  await eventually("a promise", async () => {
    const { sync } = (await cluster.record()) ?? {};
    return sync?.mode === "on" && sync.guarantee !== null;
  });
  assert.equal((await cluster.record())?.leader?.member, first);

  // Standbys first; then the primary, after it has handed over.
  await change({ postgres: { parameters: { work_mem: "5MB", max_connections: 120 } } });
  await eventually(
    "more connections on both",
    async () => {
      await onePass();
      return (await valueOf("max_connections")).every((each) => each === "120");
    },
    PATIENCE,
  );
  const second = await cluster.primary({ standbys: 1, not: first });
  const switched = told.findIndex((each) => each.startsWith("SwitchedOver"));
  const restarts = told.flatMap((each, at) => (each.startsWith("Restarted") ? [at] : []));
  assert.ok(switched > (restarts[0] ?? Infinity), told.join("\n"));

  // Lower: the primary must have it first, so nobody can take its part meanwhile.
  const before = await cluster.record();
  await change({ postgres: { parameters: { work_mem: "5MB", max_connections: 90 } } });
  await eventually(
    "fewer connections on both",
    async () => {
      await onePass();
      return (await valueOf("max_connections")).every((each) => each === "90");
    },
    PATIENCE,
  );
  assert.equal(await cluster.primary({ standbys: 1 }), second, told.join("\n"));
  const taken = (await cluster.record())?.history.filter(({ term }) => term > (before?.term ?? 0));
  assert.ok(
    taken?.every(({ member }) => member === second),
    JSON.stringify(taken),
  );
});

test("without an operator the leader brings what it is told of synchronous replication into the record", async () => {
  await using subject = await agents();
  const { cluster } = subject;
  await cluster.primary({ standbys: 1 });
  await cluster.tell({ sync: { mode: "on" } });
  await eventually("the wish in the record", async () => {
    return (await cluster.record())?.sync.mode === "on";
  });
  await cluster.tell({ sync: { mode: "off" } });
  await eventually("its end", async () => (await cluster.record())?.sync.mode === "off");
});

test("a member that was removed does not come back by its agent, which is told so late", async () => {
  await using subject = await agents();
  const { cluster } = subject;
  const first = await cluster.primary({ standbys: 1 });
  const gone = cluster.members.find((member) => member !== first) ?? "";
  await changeRecord(cluster.store, (record) => removeMember(record, gone));
  await eventually("the end of its agent", async () => !cluster.runs(gone));
  const refused = (why: string) =>
    eventually("its refusal", async () => (await cluster.logs()).includes(why));
  // Its container is started again, and what it is told still names it.
  await cluster.startAgent(gone);
  await refused("it was removed a moment ago");
  await cluster.tell({ standbys: 0, sync: { mode: "off" } });
  await refused("the specification does not name it");
  assert.equal((await cluster.record())?.members[gone], undefined);
  // In a new pod, of a specification that names it again.
  await cluster.signalAgent(gone, "SIGKILL");
  await cluster.tell({});
  await cluster.newPod(gone);
  await cluster.startAgent(gone);
  await cluster.primary({ standbys: 1 });
});
