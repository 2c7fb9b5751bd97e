// A real API server with its etcd, on the loopback address: all that Kubernetes is for whoever only
// reads, changes and watches objects. No node, no controller (kubernetes.ts adds these). Users are
// known by tokens; one of them may do anything, the others what a test gives them (RBAC).
import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { request } from "node:https";
import { chmod, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Secret } from "../../../src/core/secret.ts";
import type { ApiAccess } from "../../../src/kubernetes-api/access.ts";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { untilStandsStill } from "../../../src/postgres/processes.ts";
import { makeAuthority } from "../../support/certificate.ts";
import { eventually } from "../../support/eventually.ts";
import { takePortBlock, type PortBlock } from "../../support/port-block.ts";
import { programPath } from "./home.ts";
import { buildApi } from "./build.ts";

const HOST = "127.0.0.1";
const ADMINISTRATOR = "administrator";
const READY_LIMIT_MS = 240_000;
/** So that a test's token can be told from a real one in a log. */
const TOKEN = "test-token-of-";
const NAMESPACE = { apiVersion: "v1", kind: "Namespace", plural: "namespaces" };

/** For nodes: a network in which the server is reached by them, and services have addresses. */
export interface ApiNetwork {
  readonly address: string;
  /** Words that start a program in it. */
  readonly enter: readonly string[];
  /** "10.214.0.0/16" */
  readonly services: string;
  /** Where the server itself is reached by pods. */
  readonly ownService: string;
}

export class ApiServer implements AsyncDisposable {
  readonly directory: string;
  readonly #ports: PortBlock;
  readonly #authority: string;
  readonly #network: ApiNetwork | null;
  #etcd: ChildProcess | null = null;
  #server: ChildProcess | null = null;

  private constructor(options: {
    directory: string;
    ports: PortBlock;
    authority: string;
    network: ApiNetwork | null;
  }) {
    this.directory = options.directory;
    this.#network = options.network;
    this.#ports = options.ports;
    this.#authority = options.authority;
  }

  /**
   * Builds it first where that was not done, which takes minutes.
   * @param options.users who is known beside the administrator, by name (also
   * "system:serviceaccount:shop:izdb"), with a group where "name=group" is given
   * @param options.network left out: the loopback address
   */
  static async start(
    options: { users?: readonly string[]; network?: ApiNetwork } = {},
  ): Promise<ApiServer> {
    await buildApi();
    const network = options.network ?? null;
    const directory = await mkdtemp(join(await realpath(tmpdir()), "understudy-kubernetes-"));
    await chmod(directory, 0o755);
    const ports = await takePortBlock();
    const authority = makeAuthority("tests");
    const others = network === null ? [] : [network.address, network.ownService];
    const certificate = authority.issue([HOST, ...others]);
    await writeFile(join(directory, "ca.crt"), authority.chain);
    await writeFile(join(directory, "server.crt"), certificate.chain);
    await writeFile(join(directory, "server.key"), certificate.key, { mode: 0o600 });
    await writeFile(join(directory, "tokens.csv"), tokensOf(options.users ?? []), { mode: 0o600 });
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const format = { format: "pem" } as const;
    const signing = privateKey.export({ type: "pkcs8", ...format });
    await writeFile(join(directory, "accounts.key"), signing, { mode: 0o600 });
    await writeFile(join(directory, "accounts.pub"), publicKey.export({ type: "spki", ...format }));
    const started = new ApiServer({ directory, ports, authority: authority.chain, network });
    try {
      started.startEtcd();
      await started.startServer();
    } catch (thrown) {
      await started[Symbol.asyncDispose]();
      throw thrown;
    }
    return started;
  }

  get server(): URL {
    return new URL(`https://${this.#address}:${this.#port}`);
  }

  access(user: string = ADMINISTRATOR): ApiAccess {
    const token = new Secret(`${TOKEN}${user}`);
    const credentials = { authority: this.#authority, token, certificate: null };
    return { server: this.server, credentials: async () => credentials };
  }

  /** As kubectl and the programs of Kubernetes read it. */
  kubeconfig(user: string = ADMINISTRATOR): string {
    const cluster = {
      server: this.server.href,
      "certificate-authority-data": Buffer.from(this.#authority).toString("base64"),
    };
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "test",
      clusters: [{ name: "test", cluster }],
      users: [{ name: user, user: { token: `${TOKEN}${user}` } }],
      contexts: [{ name: "test", context: { cluster: "test", user } }],
    });
  }

  async makeNamespace(name: string): Promise<void> {
    using api = new KubernetesApi({ access: this.access() });
    const { apiVersion, kind } = NAMESPACE;
    await api.create(NAMESPACE, { apiVersion, kind, metadata: { name } });
  }

  /** For what has no object of its own, as an eviction. @returns the HTTP status. */
  async post(path: string, document: object): Promise<number> {
    const { authority, token } = await this.access().credentials({ renew: false });
    return new Promise((resolve, reject) => {
      const call = request(new URL(path, this.server), {
        method: "POST",
        ca: authority ?? undefined,
        headers: {
          authorization: `Bearer ${token?.reveal() ?? ""}`,
          "content-type": "application/json",
        },
      });
      call.on("error", reject);
      call.on("response", (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 500));
      });
      call.end(JSON.stringify(document));
    });
  }

  startEtcd(): void {
    const client = `http://${HOST}:${this.#ports.first}`;
    const peer = `http://${HOST}:${this.#ports.first + 1}`;
    this.#etcd = this.#run("etcd", [
      `--data-dir=${join(this.directory, "etcd")}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      // What a test writes need not survive a power cut.
      "--unsafe-no-fsync",
    ]);
  }

  /** Resolves when it says that it is ready. */
  async startServer(): Promise<void> {
    const file = (name: string) => join(this.directory, name);
    const child = this.#run("kube-apiserver", [
      `--etcd-servers=http://${HOST}:${this.#ports.first}`,
      `--bind-address=${this.#address}`,
      `--advertise-address=${this.#address}`,
      `--secure-port=${this.#port}`,
      `--tls-cert-file=${file("server.crt")}`,
      `--tls-private-key-file=${file("server.key")}`,
      `--cert-dir=${this.directory}`,
      `--token-auth-file=${file("tokens.csv")}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${file("accounts.pub")}`,
      `--service-account-signing-key-file=${file("accounts.key")}`,
      ...this.#surroundings(),
    ]);
    this.#server = child;
    using api = new KubernetesApi({ access: this.access(), timeoutMs: 5_000 });
    await eventually(
      "an API server that is ready",
      async () => {
        if (child.exitCode !== null) return true;
        return (await api.list(NAMESPACE, {})).items.some(
          ({ metadata }) => metadata.name === "default",
        );
      },
      { limitMs: READY_LIMIT_MS },
    );
    if (child.exitCode !== null) throw new Error(await this.#lastWords("kube-apiserver"));
  }

  /**
   * Returns when it has ended, or stands still.
   * @param signal SIGKILL as in a crash, SIGSTOP and SIGCONT for one that hangs
   */
  async signal(program: "etcd" | "kube-apiserver", signal: NodeJS.Signals): Promise<void> {
    const child = program === "etcd" ? this.#etcd : this.#server;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    if (signal === "SIGKILL" || signal === "SIGTERM") await ended;
    const isStill = signal !== "SIGSTOP" || (await untilStandsStill([child.pid ?? 0]));
    if (!isStill) throw new Error(`${program} does not stand still`);
  }

  /** What has happened so far is forgotten: whoever watches from an older version is told so. */
  async compact(): Promise<void> {
    const etcd = `http://${HOST}:${this.#ports.first}/v3`;
    const post = async (path: string, body: object) => {
      const answer = await fetch(`${etcd}${path}`, { method: "POST", body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`etcd answers ${answer.status}: ${await answer.text()}`);
      return (await answer.json()) as { header: { revision: string } };
    };
    const { header } = await post("/kv/range", { key: "AA==" });
    await post("/kv/compaction", { revision: header.revision, physical: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.signal("kube-apiserver", "SIGKILL");
    await this.signal("etcd", "SIGKILL");
    await this.#ports[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }

  get #port(): number {
    return this.#ports.first + 2;
  }

  get #address(): string {
    return this.#network?.address ?? HOST;
  }

  #surroundings(): string[] {
    if (this.#network === null)
      return [
        "--authorization-mode=RBAC",
        // Nothing that runs in this Kubernetes looks for it by its service.
        "--endpoint-reconciler-type=none",
        // There is no controller that would make the accounts.
        "--disable-admission-plugins=ServiceAccount",
        "--service-cluster-ip-range=10.96.0.0/16",
      ];
    return [
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged=true",
      "--kubelet-preferred-address-types=InternalIP",
      `--service-cluster-ip-range=${this.#network.services}`,
    ];
  }

  /** Ends with this process, however that ends. */
  #run(program: string, args: readonly string[]): ChildProcess {
    const words = [
      "--pdeathsig",
      "KILL",
      "--",
      ...(this.#network?.enter ?? []),
      programPath(program),
      ...args,
    ];
    const child = spawn("setpriv", words, {
      cwd: this.directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const log = createWriteStream(join(this.directory, `${program}.log`), { flags: "a" });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.once("close", () => log.end());
    return child;
  }

  async #lastWords(program: string): Promise<string> {
    const text = await readFile(join(this.directory, `${program}.log`), "utf8").catch(() => "");
    return `${program} has ended: ${text.slice(-1_000)}`;
  }
}

/** token,user,uid,"groups" */
function tokensOf(users: readonly string[]): string {
  const lines = [`${ADMINISTRATOR}=system:masters`, ...users].map((each) => {
    const [user, group] = each.split("=");
    return `${TOKEN}${user},${user},${user}${group === undefined ? "" : `,"${group}"`}`;
  });
  return `${lines.join("\n")}\n`;
}
