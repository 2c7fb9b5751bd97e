// The commands for a cluster on Kubernetes, as processes, with the rights that a person needs for
// them and no others. The API server reaches the agents by the addresses of their pods, which it
// takes for none of its own machine: so they listen at one of the network's.
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject, POD, POSTGRES_CLUSTER } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { podName } from "../../../src/kubernetes/objects/names.ts";
import { eventually } from "../../support/eventually.ts";
import { operated } from "../operated-cluster.ts";
import { kubeconfigFor, programWith } from "../outside.ts";

const PERSON = "person";
/** Between two passes of the operator. */
const LOOK_MS = 500;
const OF_SHOP = ["--namespace", "shop", "--name", "izdb"];
const RIGHTS = "rbac.authorization.k8s.io";
const RULES = [
  {
    apiGroups: ["understudy.dev"],
    resources: ["postgresclusters"],
    verbs: ["get", "list", "patch"],
  },
  {
    apiGroups: ["coordination.k8s.io"],
    resources: ["leases"],
    resourceNames: ["izdb"],
    verbs: ["get", "patch"],
  },
  { apiGroups: [""], resources: ["pods/proxy"], verbs: ["get", "create"] },
  { apiGroups: [""], resources: ["secrets"], resourceNames: ["izdb-agents"], verbs: ["get"] },
];

function addressOfNetwork(): string {
  const found = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal);
  assert.ok(found, "this machine has an address beside its loopback ones");
  return found.address;
}

async function giveRights(api: KubernetesApi): Promise<void> {
  const metadata = { name: PERSON, namespace: "shop" };
  const role = { apiVersion: `${RIGHTS}/v1`, kind: "Role", metadata, rules: RULES };
  const binding = {
    apiVersion: `${RIGHTS}/v1`,
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: RIGHTS, kind: "Role", name: PERSON },
    subjects: [{ kind: "User", name: PERSON, apiGroup: RIGHTS }],
  };
  for (const object of [role, binding] as KubernetesObject[])
    await api.create(kindOfObject(object), object);
}

/** As its kubelet tells it. */
async function tellAddress(api: KubernetesApi, of: { member: string; host: string }) {
  const pod = await api.get(POD, { namespace: "shop", name: podName(of.member) });
  assert.ok(pod);
  const status = { phase: "Running", podIP: of.host, podIPs: [{ ip: of.host }] };
  await api.replace(POD, Object.assign({}, pod, { status }), { subresource: "status" });
}

test("status, switchover, pause, events and parameters work from outside, with a person's rights", async () => {
  const host = addressOfNetwork();
  await using subject = await operated({ users: [PERSON], host });
  const { cluster, administrator, server, onePass } = subject;
  await using kubeconfig = await kubeconfigFor(server, PERSON);
  const run = programWith(kubeconfig.path);
  const first = await cluster.primary({ standbys: 1 });
  await giveRights(administrator);
  for (const member of cluster.members) await tellAddress(administrator, { member, host });

  const status = await eventually("two members that are well", async () => {
    const asked = await run("understudy", "status", "-n", "shop", "izdb", "--json");
    assert.equal(asked.status, 0, asked.err);
    const document = JSON.parse(asked.out);
    return document.state === "healthy" ? document : null;
  });
  assert.equal(status.primary, first);
  assert.equal(status.members.length, 2);
  // The context's namespace has one cluster.
  const screen = await run("kubectl-understudy", "status");
  assert.equal(screen.status, 0, screen.err);
  assert.match(screen.out, /izdb-1/);
  assert.match(screen.out, /kubectl understudy status --watch/);
  assert.match(screen.out, /postgresql:\/\/app@izdb-rw\.shop\.svc:5432\/app/);

  const planned = await run("understudy", "switchover", ...OF_SHOP, "--dry-run", "--json");
  assert.equal(planned.status, 0, planned.err);
  assert.equal(JSON.parse(planned.out).from, first);
  const switched = await run("kubectl-understudy", "switchover", "-n", "shop", "izdb");
  assert.equal(switched.status, 0, switched.err);
  assert.notEqual(await cluster.primary({ standbys: 1, not: first }), first);

  const paused = await run("understudy", "pause", ...OF_SHOP);
  assert.equal(paused.status, 0, paused.err);
  assert.equal((await cluster.record())?.paused, true);
  const resumed = await run("understudy", "resume", "--namespace", "shop", "izdb");
  assert.equal(resumed.status, 0, resumed.err);
  assert.equal((await cluster.record())?.paused, false);

  const events = await run("understudy", "events", ...OF_SHOP, "--json");
  assert.equal(events.status, 0, events.err);
  const names = new Set(JSON.parse(events.out).map(({ event }: { event: string }) => event));
  for (const name of ["paused", "resumed", "promoted"]) assert.ok(names.has(name), name);

  const managed = await run("understudy", "param", "set", "listen_addresses=x", ...OF_SHOP);
  assert.notEqual(managed.status, 0);
  const passes = new AbortController();
  const operator = (async () => {
    while (!passes.signal.aborted) {
      await onePass();
      await cluster.bringTold();
      await delay(LOOK_MS);
    }
  })();
  const set = await run("understudy", "param", "set", "work_mem=6MB", ...OF_SHOP);
  passes.abort();
  await operator;
  assert.equal(set.status, 0, set.err);
  const place = { namespace: "shop", name: "izdb" };
  const object: unknown = await administrator.get(POSTGRES_CLUSTER, place);
  const { spec } = Object(object);
  assert.equal(spec.postgres.parameters.work_mem, "6MB");
  for (const member of cluster.members)
    assert.equal(await cluster.value(member, "SHOW work_mem"), "6MB");
  const shown = await run("understudy", "param", "show", ...OF_SHOP, "--json");
  assert.equal(JSON.parse(shown.out)[0].value, "6MB");
});

test("what cannot be reached, is not there, or is not done from outside is said so", async () => {
  const host = addressOfNetwork();
  await using subject = await operated({ users: [PERSON], host });
  const { cluster, administrator, server } = subject;
  await using kubeconfig = await kubeconfigFor(server, PERSON);
  const run = programWith(kubeconfig.path);
  const first = await cluster.primary({ standbys: 1 });
  // Known by its account, and without any right.
  const forbidden = await run("understudy", "status", ...OF_SHOP, "--json");
  assert.equal(forbidden.status, 4, forbidden.err);
  assert.equal(JSON.parse(forbidden.err).code, "KUBERNETES_FORBIDDEN");
  await giveRights(administrator);
  for (const member of cluster.members) await tellAddress(administrator, { member, host });

  const refused = await run("understudy", "failover", ...OF_SHOP, "--json", "--yes");
  assert.equal(refused.status, 4, refused.err);
  assert.equal(JSON.parse(refused.err).code, "REFUSED");
  const standby = await run("understudy", "standby", "add", ...OF_SHOP, "--json");
  assert.match(JSON.parse(standby.err).hint, /kubectl -n shop scale postgrescluster izdb/);
  const up = await run("understudy", "up", "--context", "test", "--json");
  assert.equal(up.status, 2, up.err);
  const other = await run("understudy", "status", "-n", "shop", "other", "--json");
  assert.notEqual(other.status, 0);

  const gone = cluster.members.find((member) => member !== first) ?? "";
  await cluster.signalAgent(gone, "SIGKILL");
  const status = await eventually("a member that is told as unreachable", async () => {
    const asked = await run("understudy", "status", ...OF_SHOP, "--json");
    const document = JSON.parse(asked.out);
    const member = document.members.find(({ name }: { name: string }) => name === gone);
    return member?.state === "unreachable" ? document : null;
  });
  assert.equal(status.primary, first);
});
