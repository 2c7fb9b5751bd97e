// A cluster that an operator looks after, on a real Kubernetes API: agents as in pods, and the
// operator's passes when a test makes them. The kubelets' part, to bring files and to make pods, is
// a test's.
import { AGENTS } from "../../src/cli/kubernetes/operate.ts";
import { parameterObjections } from "../../src/cli/kubernetes/parameter-objections.ts";
import { KubernetesApi } from "../../src/kubernetes-api/api.ts";
import { kindOfObject, POD, POSTGRES_CLUSTER } from "../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../src/kubernetes-api/resource.ts";
import { operatorObjects } from "../../src/kubernetes/objects/operator-objects.ts";
import { Handovers } from "../../src/kubernetes/operator/handovers.ts";
import { pass, type PassOptions } from "../../src/kubernetes/operator/pass.ts";
import { listedKinds, STATEFUL_SET } from "../../src/kubernetes/operator/reading.ts";
import { eventually } from "../support/eventually.ts";
import { takePortBlock } from "../support/port-block.ts";
import { SURROUNDINGS } from "../support/postgres-clusters.ts";
import { ApiServer } from "./cluster/api-server.ts";
import { PodAgents } from "./pod-agents.ts";

export const OPERATOR = "system:serviceaccount:understudy:understudy-operator";
const AGENTS_ACCOUNT = "system:serviceaccount:shop:izdb-agents";
const PLACE = { namespace: "shop", name: "izdb" };
/** 1.20, which the tests have. */
const HAS = { policyV1: false, discoveryV1: false };
const HOST = "127.0.0.1";
const SPEC = {
  postgres: { image: "postgres:15" },
  standbys: 1,
  leaseSeconds: 10,
  storage: { size: "1Gi" },
  // They are all on this machine.
  acceptSharedFate: true,
};

interface AgentsOptions {
  /** Known to the API server beside the operator and the agents. */
  readonly users?: readonly string[];
  /** Where agents and servers listen. */
  readonly host?: string;
}

export async function agents(given: AgentsOptions = {}) {
  const opened = new AsyncDisposableStack();
  const users = [OPERATOR, AGENTS_ACCOUNT, ...(given.users ?? [])];
  const ports = opened.use(await takePortBlock());
  const server = opened.use(await ApiServer.start({ users }));
  const options = { standbys: 1, spec: SPEC, port: ports.first + 1, host: given.host ?? HOST };
  const cluster = opened.use(await PodAgents.start(server, options));
  return { server, cluster, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

export async function operated(given: AgentsOptions = {}) {
  const opened = new AsyncDisposableStack();
  const { server, cluster } = opened.use(await agents(given));
  const operator = opened.use(await operatorOn(server));
  await operator.onePass();
  for (const member of cluster.members) await operator.makePod(member);
  const change = async (spec: Readonly<Record<string, unknown>>) => {
    await operator.administrator.patch(POSTGRES_CLUSTER, { place: PLACE, patch: { spec } });
    await operator.onePass();
    await cluster.bringTold();
  };
  return {
    ...operator,
    server,
    cluster,
    change,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** With its own rights and a cluster to look after; its namespace is to be there. */
export async function operatorOn(server: ApiServer) {
  const opened = new DisposableStack();
  const administrator = opened.use(new KubernetesApi({ access: server.access() }));
  const api = opened.use(new KubernetesApi({ access: server.access(OPERATOR) }));
  const image = "understudy:test";
  for (const object of operatorObjects({ image, namespace: "understudy", hasRules: false }))
    await administrator.apply(kindOfObject(object), object, { force: true });
  await eventually("a definition that is served", () => administrator.serves(POSTGRES_CLUSTER));
  const { apiVersion, kind } = POSTGRES_CLUSTER;
  const object = { apiVersion, kind, metadata: PLACE, spec: SPEC } as KubernetesObject;
  await administrator.create(POSTGRES_CLUSTER, object);
  const memory = { applied: new Map(), secrets: new Map() };
  const told: string[] = [];
  const options: PassOptions = {
    handovers: new Handovers(() => performance.now()),
    api,
    agents: AGENTS,
    surroundings: { ...SURROUNDINGS, has: HAS },
    kinds: listedKinds({ has: HAS }),
    check: parameterObjections,
    instance: "test",
    onEvent: ({ reason, note }) => told.push(`${reason}: ${note}`),
  };
  return {
    administrator,
    told,
    onePass: () => pass(options, { place: PLACE, memory, signal: new AbortController().signal }),
    makePod: (member: string) => makePod(administrator, member),
    [Symbol.asyncDispose]: async () => opened[Symbol.dispose](),
  };
}

/** As a StatefulSet's controller makes it, which is not here. */
async function makePod(api: KubernetesApi, member: string): Promise<void> {
  const set = await api.get(STATEFUL_SET, { namespace: "shop", name: member });
  const { metadata, spec } = Object(Object(Object(set)["spec"])["template"]);
  const { apiVersion, kind } = POD;
  const named = { ...metadata, name: `${member}-0`, namespace: "shop" };
  await api.create(POD, { apiVersion, kind, metadata: named, spec } as KubernetesObject);
}
