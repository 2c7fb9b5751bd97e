// A PostgresCluster whose members are real pods: what it is, and what befalls it.
import { readFileSync, readlinkSync } from "node:fs";

import { kindOfObject, POD, POSTGRES_CLUSTER } from "../../src/kubernetes-api/kinds.ts";
import { AGENTS } from "../../src/cli/kubernetes/operate.ts";
import type { KubernetesObject, ResourceKind } from "../../src/kubernetes-api/resource.ts";
import { podName, secretName, serviceName } from "../../src/kubernetes/objects/names.ts";
import type { ServiceRole } from "../../src/kubernetes/objects/names.ts";
import type { ClusterRecord } from "../../src/core/record.ts";
import { listPids } from "../../src/postgres/proc.ts";
import { KubernetesStore } from "../../src/store/kubernetes-store.ts";
import { eventually } from "../support/eventually.ts";
import { LOCAL_CLASS, type Kubernetes } from "./cluster/kubernetes.ts";
import { POSTGRES_IMAGE } from "./cluster/images.ts";
import { ask, type ServiceLogin } from "./service-client.ts";

const SERVICE = kind("Service");
const SECRET = kind("Secret");
const STATUS_LIMIT_MS = 2_000;
const UNTIL_STREAMING_MS = 240_000;

interface PodObject extends KubernetesObject {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: Readonly<Record<string, unknown>>;
}

export interface ClusterAt {
  readonly namespace: string;
  readonly name: string;
}

export class PodCluster implements AsyncDisposable {
  readonly kubernetes: Kubernetes;
  readonly at: ClusterAt;
  readonly #store: KubernetesStore;

  private constructor(kubernetes: Kubernetes, at: ClusterAt) {
    this.kubernetes = kubernetes;
    this.at = at;
    const { namespace, name: cluster } = at;
    this.#store = new KubernetesStore({ api: kubernetes.api, namespace, cluster });
  }

  /** Of that name in a namespace; nothing is made of it yet. */
  static in(kubernetes: Kubernetes, namespace: string): PodCluster {
    return new PodCluster(kubernetes, { namespace, name: "izdb" });
  }

  /** As `kubectl apply` does. Two standbys on new volumes, with changes. */
  async apply(changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { apiVersion, kind: called } = POSTGRES_CLUSTER;
    const spec = {
      postgres: { image: POSTGRES_IMAGE, parameters: { shared_buffers: "64MB" } },
      standbys: 2,
      storage: { size: "1Gi", storageClass: LOCAL_CLASS },
      // Without, Linux gives a pod a five-hundredth of what it gives any program beside it.
      resources: { requests: { cpu: "500m", memory: "256Mi" } },
      // All nodes are on one disk here.
      acceptSharedFate: true,
      ...changes,
    };
    const object = { apiVersion, kind: called, metadata: this.at, spec };
    const applied = await this.kubernetes.api.apply<KubernetesObject>(POSTGRES_CLUSTER, object, {
      force: true,
    });
    if (applied.kind === "other") throw new Error(`it is not applied: ${applied.why}`);
  }

  /** Members that have entered. */
  async size(): Promise<number> {
    return Object.keys((await this.record())?.members ?? {}).length;
  }

  async record(): Promise<ClusterRecord | null> {
    return (await this.#store.read())?.record ?? null;
  }

  async login(to: ServiceRole): Promise<ServiceLogin> {
    const { api } = this.kubernetes;
    const { namespace, name } = this.at;
    const text = await this.#told();
    const service = { namespace, name: serviceName(name, to) };
    const { clusterIP } = Object(Object(await api.get(SERVICE, service)).spec);
    return {
      host: String(clusterIP),
      port: Number(text("port")),
      user: text("username"),
      password: text("password"),
      database: text("dbname"),
    };
  }

  /** Who vouches for the members, as applications are told. */
  async trusted(): Promise<string | null> {
    return (await this.#told())("ca.crt") || null;
  }

  /** What its Secret for applications says by each key. */
  async #told(): Promise<(key: string) => string> {
    const { namespace, name } = this.at;
    const of = { namespace, name: secretName(name, "app") };
    const texts = Object(Object(await this.kubernetes.api.get(SECRET, of)).data);
    return (key) => Buffer.from(String(texts[key] ?? ""), "base64").toString("utf8");
  }

  /** @returns the primary, when it takes writes and so many standbys stream from it. */
  async untilStreaming(of: { standbys: number; not?: string }): Promise<string> {
    let seen = "nothing";
    return eventually(
      `a primary${of.not === undefined ? "" : ` other than ${of.not}`} with ${of.standbys} standbys`,
      async () => {
        const record = await this.record();
        const leader = record?.leader?.member;
        seen = `record: ${JSON.stringify(record)}`;
        if (leader === undefined || leader === of.not) return null;
        const [row] = await ask(
          await this.login("write"),
          "SELECT host(inet_server_addr()) AS at, pg_is_in_recovery() AS recovers",
        );
        const states = await this.#standbyStates(record, leader);
        seen = `${JSON.stringify(record)} write service: ${JSON.stringify(row)} ${states.join(", ")}`;
        if (row?.["at"] !== record?.members[leader]?.host || row?.["recovers"] !== false)
          return null;
        return states.filter((state) => state === "streaming").length >= of.standbys
          ? leader
          : null;
      },
      { limitMs: UNTIL_STREAMING_MS, stepMs: 250, seen: () => seen },
    ).catch(async (thrown: unknown) => {
      throw new Error(`${String(thrown)}\n${await this.describe()}`);
    });
  }

  async #standbyStates(record: ClusterRecord | null, leader: string): Promise<string[]> {
    const standbys = Object.entries(record?.members ?? {}).filter(([name]) => name !== leader);
    const { signal } = new AbortController();
    const trusted = await this.trusted();
    return Promise.all(
      standbys.map(([member, place]) =>
        AGENTS.status(place, { member, trusted, timeoutMs: STATUS_LIMIT_MS, signal }).then(
          ({ role, state }) => (role === "standby" ? state : role),
          (thrown: unknown) => String(thrown),
        ),
      ),
    );
  }

  async pod(member: string): Promise<PodObject | null> {
    const { namespace } = this.at;
    return this.kubernetes.api.get<PodObject>(POD, { namespace, name: podName(member) });
  }

  async nodeOf(member: string): Promise<string> {
    const node = (await this.pod(member))?.spec?.nodeName;
    if (node === undefined) throw new Error(`the pod of ${member} is on no node`);
    return node;
  }

  /** The first process of its container, as this machine numbers it. */
  firstProcess(member: string): number {
    const found = this.#processes(member).find((pid) => isFirstInContainer(pid));
    if (found === undefined) throw new Error(`no container of ${member} runs`);
    return found;
  }

  /** All of PostgreSQL in its container; its agent lives. */
  killPostgres(member: string): void {
    const space = readlinkSync(`/proc/${this.firstProcess(member)}/ns/pid`);
    const servers = listPids().filter((pid) => isServer(pid) && isIn(pid, space));
    if (servers.length === 0) throw new Error(`no PostgreSQL of ${member} runs`);
    for (const pid of servers) kill(pid);
  }

  killContainer(member: string): void {
    kill(this.firstProcess(member));
  }

  async deletePod(member: string): Promise<void> {
    const { namespace } = this.at;
    await this.kubernetes.api.delete(POD, { namespace, name: podName(member) });
  }

  /** The object; its volumes stay. Resolves when its pods are gone. */
  async remove(): Promise<void> {
    const { api } = this.kubernetes;
    const { namespace } = this.at;
    await api.delete(POSTGRES_CLUSTER, this.at);
    await eventually("a namespace without pods", async () => {
      return (await api.list(POD, { namespace })).items.length === 0;
    });
  }

  /** For whoever reads why a test failed. */
  async describe(): Promise<string> {
    const { api } = this.kubernetes;
    const { namespace } = this.at;
    const object = await api.get(POSTGRES_CLUSTER, this.at);
    const { items } = await api.list<PodObject>(POD, { namespace });
    const pods = items.map(({ metadata, spec, status }) =>
      JSON.stringify({ name: metadata.name, node: spec?.nodeName, ...status }),
    );
    return [JSON.stringify(Object(object).status), ...pods].join("\n").slice(0, 8_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }

  #processes(member: string): number[] {
    const variables = [`UNDERSTUDY_MEMBER=${member}`, `UNDERSTUDY_NAMESPACE=${this.at.namespace}`];
    return listPids().filter((pid) => {
      const environment = readIn(pid, "environ").split("\0");
      return variables.every((each) => environment.includes(each));
    });
  }
}

function kind(name: string): ResourceKind {
  return kindOfObject({ apiVersion: "v1", kind: name, metadata: { name: "" } });
}

/** Its number in the innermost namespace is 1. */
function isFirstInContainer(pid: number): boolean {
  return /^NSpid:.*\t1$/m.test(readIn(pid, "status"));
}

function isServer(pid: number): boolean {
  return readIn(pid, "comm").trim() === "postgres";
}

function isIn(pid: number, space: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === space;
  } catch {
    return false; // It has ended.
  }
}

/** Empty for a process that has ended. */
function readIn(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended with the others.
  }
}
