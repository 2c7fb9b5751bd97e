// What befalls the primary of a cluster in pods, how it is undone, and what a writer saw of it.
import { setTimeout as delay } from "node:timers/promises";
import { AGENTS } from "../../src/cli/kubernetes/operate.ts";
import { Secret } from "../../src/core/secret.ts";
import { kindOfObject, POD } from "../../src/kubernetes-api/kinds.ts";
import { secretName } from "../../src/kubernetes/objects/names.ts";
import { eventually } from "../support/eventually.ts";
import { NODE } from "./cluster/kubernetes.ts";
import type { PodCluster } from "./pod-cluster.ts";
import { scaleOperator } from "./pod-operator.ts";
import { ServiceWriter } from "./service-client.ts";

export interface Struck {
  readonly cluster: PodCluster;
  readonly primary: string;
  /** On which it is. */
  readonly node: string;
}

export interface PodFault {
  readonly words: string;
  /** Whether another member leads afterwards, or the same one anew: who is quicker. */
  readonly endsLead: boolean;
  inflict(struck: Struck): Promise<void>;
  /** So that all members can come back. */
  undo?(struck: Struck): Promise<void>;
}

export interface FaultSeen {
  readonly from: string;
  readonly to: string;
  /** From the last row before it to the first one after it, as one client saw it. */
  readonly withoutWritesMs: number;
  /** From the fault until all members stream again. */
  readonly wholeAgainMs: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly doubled: number;
}

/** So that there is something that could be lost. */
const WARM_ROWS = 100;
const AWAY_MS = 20_000;
const TOO_MANY = 429;
const DRAIN_LIMIT_MS = 120_000;
const SWITCHOVER_LIMIT_MS = 60_000;
const SECRET = kindOfObject({ apiVersion: "v1", kind: "Secret", metadata: { name: "" } });

export const POD_FAULTS = {
  "postgres-killed": {
    words: "PostgreSQL killed in its container",
    endsLead: true,
    inflict: async ({ cluster, primary }) => cluster.killPostgres(primary),
  },
  "container-killed": {
    words: "the primary's container killed",
    endsLead: true,
    inflict: async ({ cluster, primary }) => cluster.killContainer(primary),
  },
  "pod-deleted": {
    words: "the primary's pod deleted",
    endsLead: true,
    inflict: ({ cluster, primary }) => cluster.deletePod(primary),
  },
  "node-off": {
    words: "the primary's node powered off",
    endsLead: true,
    inflict: ({ cluster, node }) => cluster.kubernetes.node(node).powerOff(),
    undo: ({ cluster, node }) => cluster.kubernetes.node(node).powerOn(),
  },
  "node-cut-off": {
    words: "the primary's node cut off",
    endsLead: true,
    inflict: ({ cluster, node }) => cluster.kubernetes.plug(node, "down"),
    undo: ({ cluster, node }) => cluster.kubernetes.plug(node, "up"),
  },
  "kubelet-killed": {
    words: "the kubelet of the primary's node killed, for 20 s",
    endsLead: false,
    inflict: async ({ cluster, node }) => {
      await cluster.kubernetes.node(node).killKubelet();
      await delay(AWAY_MS);
    },
    undo: async ({ cluster, node }) => cluster.kubernetes.node(node).startKubelet(),
  },
  drain: {
    words: "the primary's node drained",
    endsLead: true,
    inflict: drain,
    undo: async ({ cluster, node }) => setUnschedulable(cluster, { node, is: false }),
  },
  "no-operator": {
    words: "no operator, and the primary's container killed",
    endsLead: true,
    inflict: async ({ cluster, primary }) => {
      await scaleOperator(cluster.kubernetes, 0);
      cluster.killContainer(primary);
    },
    undo: ({ cluster }) => scaleOperator(cluster.kubernetes, 1),
  },
  "two-operators": {
    words: "two operators, and the primary's container killed",
    endsLead: true,
    inflict: async ({ cluster, primary }) => {
      await scaleOperator(cluster.kubernetes, 2);
      cluster.killContainer(primary);
    },
    undo: ({ cluster }) => scaleOperator(cluster.kubernetes, 1),
  },
  switchover: { words: "switchover", endsLead: true, inflict: switchOver },
  // Last: for up to half a minute after it kube-proxy does not hear of whom services lead to.
  "api-down": {
    words: "the API server killed, for 20 s",
    endsLead: false,
    inflict: async ({ cluster }) => {
      const { server } = cluster.kubernetes;
      await server.signal("kube-apiserver", "SIGKILL");
      await delay(AWAY_MS);
      await server.startServer();
    },
  },
} as const satisfies Record<string, PodFault>;

export type PodFaultName = keyof typeof POD_FAULTS;

/** All members stream before it and after it, or it throws. */
export async function strike(cluster: PodCluster, fault: PodFault): Promise<FaultSeen> {
  const standbys = (await cluster.size()) - 1;
  const from = await cluster.untilStreaming({ standbys });
  await using writer = await ServiceWriter.start(await cluster.login("write"));
  await writer.hasWritten(WARM_ROWS);
  const struck = { cluster, primary: from, node: await cluster.nodeOf(from) };
  const before = await leadOf(cluster);
  writer.forgetGaps();
  const begun = performance.now();
  await fault.inflict(struck);
  if (fault.endsLead)
    await eventually(`the lead of ${from} is over`, async () => (await leadOf(cluster)) !== before);
  const to = await cluster.untilStreaming({ standbys: 0 });
  await writer.hasWritten(WARM_ROWS);
  const { longestGapMs } = writer;
  await fault.undo?.(struck);
  await cluster.untilStreaming({ standbys });
  const wholeAgainMs = Math.round(performance.now() - begun);
  await writer.hasWritten(1);
  await writer.stop();
  const { lost, doubled } = await writer.compare();
  const acknowledged = writer.acknowledged.length;
  return { from, to, withoutWritesMs: longestGapMs, wholeAgainMs, acknowledged, lost, doubled };
}

/** Another one begins with each term, and with each run of its agent. */
async function leadOf(cluster: PodCluster): Promise<string> {
  const record = await cluster.record();
  const leader = record?.leader?.member ?? "";
  return `${record?.term} ${leader} ${record?.members[leader]?.session}`;
}

/** As `kubectl drain`: nothing new comes there, and who is there is asked to go, one by one. */
async function drain({ cluster, node }: Struck): Promise<void> {
  const { api, server } = cluster.kubernetes;
  await setUnschedulable(cluster, { node, is: true });
  const { items } = await api.list(POD, { fieldSelector: `spec.nodeName=${node}` });
  for (const { metadata } of items) {
    const { namespace = "", name } = metadata;
    const eviction = { apiVersion: "policy/v1beta1", kind: "Eviction", metadata };
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
    const place = { metadata: { namespace, name } };
    await eventually(
      `${name} may be evicted`,
      async () => (await server.post(path, { ...eviction, ...place })) !== TOO_MANY,
      { limitMs: DRAIN_LIMIT_MS, stepMs: 1_000 },
    );
  }
}

async function setUnschedulable(
  cluster: PodCluster,
  { node, is }: { node: string; is: boolean },
): Promise<void> {
  const patch = { spec: { unschedulable: is } };
  await cluster.kubernetes.api.patch(NODE, { place: { name: node }, patch });
}

/** As `understudy switchover` asks for it. */
async function switchOver({ cluster, primary }: Struck): Promise<void> {
  const record = await cluster.record();
  const to = Object.keys(record?.members ?? {}).find((name) => name !== primary);
  const place = record?.members[primary];
  if (place === undefined) throw new Error(`${primary} is not in the record`);
  const { namespace, name } = cluster.at;
  const { api } = cluster.kubernetes;
  const secret = await api.get(SECRET, { namespace, name: secretName(name, "agents") });
  const token = Buffer.from(String(Object(Object(secret).data).token), "base64").toString("utf8");
  await AGENTS.ask(place, {
    member: primary,
    path: "/switchover",
    body: { to },
    token: new Secret(token),
    trusted: await cluster.trusted(),
    timeoutMs: SWITCHOVER_LIMIT_MS,
    signal: new AbortController().signal,
  });
}
