// Agents as they run in pods, but as processes of this machine, with a real API server: each has a
// PID namespace and ports of its own, and its termination log and what it is told in files.
// The kubelet's part, to tell of the end of a container, is a test's.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { chown, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { join } from "node:path";
import { Client } from "pg";
import type { MemberStatus } from "../../src/core/member-status.ts";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { askStatus } from "../../src/agent/peer.ts";
import type { ClusterRecord } from "../../src/core/record.ts";
import { KubernetesApi } from "../../src/kubernetes-api/api.ts";
import { kindOfObject, POD } from "../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../src/kubernetes-api/resource.ts";
import { authoritySecret } from "../../src/kubernetes/certificates/certificate-secrets.ts";
import { clusterObjects } from "../../src/kubernetes/objects/cluster-objects.ts";
import { memberNames, podName, specificationName } from "../../src/kubernetes/objects/names.ts";
import type { PostgresCluster } from "../../src/kubernetes/resource/postgres-cluster.ts";
import { KubernetesStore } from "../../src/store/kubernetes-store.ts";
import { eventually } from "../support/eventually.ts";
import { testUser } from "../support/test-user.ts";
import { TlsAuthority } from "../support/tls-authority.ts";
import { clusterWith, PASSWORDS, SURROUNDINGS, TRUSTED } from "../support/postgres-clusters.ts";
import type { ApiServer } from "./cluster/api-server.ts";
import { shownCertificates } from "./shown-certificates.ts";

const LAUNCHER = join(import.meta.dirname, "../../bin/understudy.js");
const OLD_API = { ...SURROUNDINGS, has: { policyV1: false, discoveryV1: false } };
const ENDPOINT_SLICE = {
  apiVersion: "discovery.k8s.io/v1beta1",
  kind: "EndpointSlice",
  plural: "endpointslices",
};
/** What agents need; all else is for the kubelet and the network. */
const NEEDED_KINDS = new Set([
  "Lease",
  "EndpointSlice",
  "Role",
  "RoleBinding",
  "ServiceAccount",
  "Secret",
]);

export interface PodAgentsOptions {
  readonly standbys: number;
  /** From here on two for each member. */
  readonly port: number;
  /** Where agents and servers listen; 127.0.0.1 where nothing is said. */
  readonly host?: string;
  /** Each member has a volume of its own for its WAL. */
  readonly walApart?: boolean;
  /** Of the specification, beside what all have. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

export class PodAgents implements AsyncDisposable {
  cluster: PostgresCluster;
  readonly api: KubernetesApi;
  readonly store: KubernetesStore;
  readonly #server: ApiServer;
  readonly #firstPort: number;
  readonly #host: string;
  readonly #walApart: boolean;
  readonly #authority = new TlsAuthority();
  readonly #running = new Map<string, ChildProcess>();
  readonly #spec: Readonly<Record<string, unknown>>;
  #told = 0;

  private constructor(server: ApiServer, options: PodAgentsOptions) {
    this.#server = server;
    this.#firstPort = options.port;
    this.#host = options.host ?? "127.0.0.1";
    this.#walApart = options.walApart ?? false;
    this.#spec = {
      postgres: { image: "postgres:15" },
      standbys: options.standbys,
      leaseSeconds: 10,
      ...options.spec,
    };
    this.cluster = clusterWith(this.#spec, { uid: undefined });
    this.api = new KubernetesApi({ access: server.access() });
    const { namespace, name } = this.cluster;
    this.store = new KubernetesStore({ api: this.api, namespace, cluster: name });
  }

  static async start(server: ApiServer, options: PodAgentsOptions): Promise<PodAgents> {
    const agents = new PodAgents(server, options);
    await server.makeNamespace(agents.cluster.namespace);
    const all = clusterObjects(agents.cluster, {
      passwords: PASSWORDS,
      trusted: TRUSTED,
      surroundings: OLD_API,
    });
    for (const object of [...all.founded, ...all.applied])
      if (NEEDED_KINDS.has(object.kind)) await agents.api.create(kindOfObject(object), object);
    // An operator that comes goes on with it.
    const authority = authoritySecret(agents.cluster, agents.#authority.authority);
    await agents.api.create(kindOfObject(authority), authority);
    await agents.tell({});
    for (const member of agents.members) await agents.startAgent(member);
    return agents;
  }

  /**
   * Has the files of all members be of this specification, as if somebody had applied it as plain
   * objects and the kubelets had brought it.
   */
  async tell(change: Readonly<Record<string, unknown>>): Promise<void> {
    this.cluster = clusterWith({ ...this.#spec, ...change }, { uid: undefined });
    const { applied } = clusterObjects(this.cluster, {
      passwords: PASSWORDS,
      trusted: TRUSTED,
      surroundings: OLD_API,
    });
    for (const object of applied) if (object.kind === "ConfigMap") await this.#writeTold(object);
  }

  /** What the operator has made of the ConfigMap, as kubelets bring it. */
  async bringTold(): Promise<void> {
    const { namespace, name } = this.cluster;
    const place = { namespace, name: specificationName(name) };
    const kind = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps" };
    const configMap = await this.api.get(kind, place);
    if (configMap === null) throw new Error(`there is no ConfigMap ${place.name}`);
    await this.#writeTold(configMap);
  }

  get members(): string[] {
    return memberNames(this.cluster);
  }

  /** All at one address; in pods each has an address of its own, and the same ports. */
  #portsOf(member: string): { port: number; apiPort: number } {
    const number = Number(member.split("-").at(-1));
    const port = this.#firstPort + 2 * (number - 1);
    return { port, apiPort: port + 1 };
  }

  async startAgent(member: string): Promise<void> {
    const root = this.place(member);
    const own = join(root, "cluster/members", member);
    await mkdir(own, { recursive: true, mode: 0o700 });
    const temporary = join(root, "tmp");
    await mkdir(temporary, { recursive: true });
    const user = await testUser();
    const clusterRoot = join(root, "cluster");
    if (user !== undefined)
      for (const directory of [root, temporary, clusterRoot, join(clusterRoot, "members"), own])
        await chown(directory, user.uid, user.gid);
    const { port, apiPort } = this.#portsOf(member);
    const env = {
      ...process.env,
      TMPDIR: temporary,
      UNDERSTUDY_CLUSTER: this.cluster.name,
      UNDERSTUDY_NAMESPACE: this.cluster.namespace,
      UNDERSTUDY_MEMBER: member,
      UNDERSTUDY_DIR: clusterRoot,
      UNDERSTUDY_TOLD: join(this.#server.directory, "told"),
      UNDERSTUDY_KEYS: join(root, "keys"),
      ...(this.#walApart ? { UNDERSTUDY_WAL_DIR: join(root, "wal") } : {}),
      UNDERSTUDY_POD_ADDRESS: this.#host,
      UNDERSTUDY_PORT: String(port),
      UNDERSTUDY_AGENT_PORT: String(apiPort),
      UNDERSTUDY_SERVICE_ACCOUNT: await this.#account(),
      UNDERSTUDY_TERMINATION_LOG: join(root, "termination-log"),
      KUBERNETES_SERVICE_HOST: this.#server.server.hostname,
      KUBERNETES_SERVICE_PORT: this.#server.server.port,
    };
    const words = [...(await asContainer()), process.execPath, LAUNCHER, "agent"];
    const child = spawn("setpriv", words, { env, stdio: ["ignore", "pipe", "pipe"] });
    const log = createWriteStream(join(root, "agent.out"), { flags: "a" });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.once("close", () => log.end());
    this.#running.set(member, child);
  }

  runs(member: string): boolean {
    const child = this.#running.get(member);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Its volumes of its own are empty then. */
  async newPod(member: string): Promise<void> {
    await rm(join(this.place(member), "tmp"), { recursive: true, force: true });
  }

  /** To the container's first process. @returns when it has ended, where the signal ends it. */
  async signalAgent(member: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(member);
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    const listed = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
    const [first] = listed.trim().split(" ").filter(Boolean).map(Number);
    // Before it has begun there is nobody but who begins it.
    process.kill(first ?? child.pid, signal);
    if (signal === "SIGKILL" || signal === "SIGTERM") await ended;
  }

  async record(): Promise<ClusterRecord | null> {
    return (await this.store.read())?.record ?? null;
  }

  async status(member: string): Promise<MemberStatus> {
    const { apiPort } = this.#portsOf(member);
    const trust = { by: this.#authority.context(), member };
    return askStatus({ host: this.#host, apiPort }, { trust, timeoutMs: 5_000 });
  }

  /** As its kubelet asks, which looks at no certificate. */
  async isAlive(member: string): Promise<boolean> {
    const { apiPort: port } = this.#portsOf(member);
    const path = "/liveness";
    const asked = get({ host: this.#host, port, path, rejectUnauthorized: false, timeout: 5_000 });
    const [response]: IncomingMessage[] = await once(asked, "response");
    response?.resume();
    return response?.statusCode === 200;
  }

  /** As the operator and a kubelet do, in their time: other certificates of the same members. */
  async renewCertificates(): Promise<void> {
    await this.#writeCertificates(join(this.#server.directory, "told"));
  }

  /** The serial numbers of the certificates that agent and server of a member show now. */
  shownCertificates(member: string): Promise<{ agent: string; server: string }> {
    const at = { host: this.#host, member, ...this.#portsOf(member) };
    return shownCertificates(at, this.#authority.context());
  }

  /** As the superuser. */
  async query(member: string, sql: string): Promise<readonly Record<string, unknown>[]> {
    const client = new Client({
      host: this.#host,
      port: this.#portsOf(member).port,
      user: "postgres",
      password: PASSWORDS.superuser.reveal(),
      connectionTimeoutMillis: 5_000,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query(sql)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** The one value of a query that has one. */
  async value(member: string, sql: string): Promise<unknown> {
    const [row] = await this.query(member, sql);
    return Object.values(row ?? {})[0];
  }

  /** The member that takes writes, with so many standbys that stream from it. */
  async primary(of: { standbys: number; not?: string }): Promise<string> {
    let seen = "";
    return eventually(
      `a primary with ${of.standbys} standbys`,
      async () => {
        const record = await this.record();
        seen = JSON.stringify(record);
        const leader = record?.leader?.member;
        if (leader === undefined || leader === of.not) return null;
        const rows = await this.query(
          leader,
          "SELECT pg_is_in_recovery() AS recovers, (SELECT count(*)::int FROM pg_stat_replication WHERE state = 'streaming') AS standbys",
        );
        const [row] = rows;
        return row?.["recovers"] === false && Number(row["standbys"]) >= of.standbys
          ? leader
          : null;
      },
      { seen: () => seen },
    );
  }

  /** As its kubelet does when a container has ended: what its termination log says is told. */
  async tellEnd(member: string): Promise<void> {
    const { namespace } = this.cluster;
    const name = podName(member);
    const { apiVersion, kind } = POD;
    const container = { name: "postgres", image: "postgres:15" };
    const pod = {
      apiVersion,
      kind,
      metadata: { name, namespace },
      spec: { containers: [container] },
    };
    await this.api.create<KubernetesObject>(POD, pod);
    const message = await readFile(join(this.place(member), "termination-log"), "utf8");
    const terminated = { exitCode: 137, reason: "Error", containerID: "containerd://1", message };
    const read = await this.api.get<KubernetesObject>(POD, { namespace, name });
    if (read === null) throw new Error(`there is no pod ${name}`);
    const containerStatuses = [
      {
        name: "postgres",
        image: "postgres:15",
        imageID: "",
        ready: false,
        restartCount: 0,
        state: { terminated },
      },
    ];
    const told = Object.assign({}, read, { status: { phase: "Running", containerStatuses } });
    await this.api.replace(POD, told, { subresource: "status" });
  }

  /**
   * Whether the EndpointSlice of the service holds so many addresses; all members have the same.
   */
  async leads(to: { service: "rw" | "ro"; addresses: number }): Promise<boolean> {
    const { namespace, name } = this.cluster;
    const place = { namespace, name: `${name}-${to.service}` };
    const slice = await this.api.get<KubernetesObject>(ENDPOINT_SLICE, place);
    const endpoints: { addresses: string[] }[] = Object(slice).endpoints ?? [];
    const addresses = endpoints.flatMap((each) => each.addresses);
    return addresses.length === to.addresses && addresses.every((each) => each === this.#host);
  }

  async empty(service: "rw" | "ro"): Promise<void> {
    const { namespace, name } = this.cluster;
    const place = { namespace, name: `${name}-${service}` };
    await this.api.patch(ENDPOINT_SLICE, { place, patch: { endpoints: [] } });
  }

  async logs(): Promise<string> {
    const texts = [...this.#running.keys()].map(async (member) => {
      const paths = memberPaths(join(this.place(member), "cluster"), member);
      const [out = "", log = ""] = await Promise.all(
        [join(this.place(member), "agent.out"), paths.agentLog].map((path) =>
          readFile(path, "utf8").catch(() => ""),
        ),
      );
      return `${member}: ${out}\n${log.slice(-4_000)}`;
    });
    return (await Promise.all(texts)).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const members = [...this.#running.keys()];
    await Promise.all(members.map((member) => this.signalAgent(member, "SIGCONT")));
    await Promise.all(members.map((member) => this.signalAgent(member, "SIGTERM")));
    await this.store[Symbol.asyncDispose]();
    this.api[Symbol.dispose]();
  }

  /** Its volumes and files. */
  place(member: string): string {
    return join(this.#server.directory, member);
  }

  async #account(): Promise<string> {
    const directory = join(this.#server.directory, "account");
    await mkdir(directory, { recursive: true });
    const { namespace, name } = this.cluster;
    const access = this.#server.access(`system:serviceaccount:${namespace}:${name}-agents`);
    const { authority, token } = await access.credentials({ renew: false });
    await writeFile(join(directory, "ca.crt"), authority ?? "");
    await writeFile(join(directory, "token"), token?.reveal() ?? "");
    return directory;
  }

  /** One is enough here: it names them all. */
  async #writeCertificates(directory: string): Promise<void> {
    const certificate = this.#authority.server(...this.members);
    await this.#authority.writeTold(join(directory, "tls"), certificate);
  }

  async #writeTold(configMap: KubernetesObject): Promise<void> {
    this.#told += 1;
    const directory = join(this.#server.directory, `told.${this.#told}`);
    await mkdir(join(directory, "secrets"), { recursive: true });
    const files: Record<string, string> = Object(Object(configMap).data);
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    for (const [name, secret] of Object.entries(PASSWORDS))
      await writeFile(join(directory, "secrets", name), secret.reveal());
    await this.#writeCertificates(directory);
    // At once, as the kubelet replaces a whole volume.
    await symlink(directory, `${directory}.link`);
    await rename(`${directory}.link`, join(this.#server.directory, "told"));
  }
}

/**
 * Words for setpriv: all processes of a member end with the first one, as in a container, and that
 * ends with this process.
 */
async function asContainer(): Promise<string[]> {
  const user = await testUser();
  const alone = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"];
  const last = ["--pdeathsig", "KILL", "--"];
  if (user === undefined) return [...last, ...alone, "--user", "--map-current-user"];
  const { uid, gid } = user;
  return [...last, ...alone, "setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
}
