// A node of Kubernetes on this machine: a real kubelet with containerd and kube-proxy, in a PID,
// mount and network namespace of its own. Killing its first process is a power failure; its disk,
// which is a directory, stays.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../../../src/postgres/run-program.ts";
import { readChildren } from "../../../src/postgres/proc.ts";
import { eventually } from "../../support/eventually.ts";
import { programPath } from "./home.ts";
import {
  groupOf,
  containerdSettings,
  kubeletSettings,
  podNetwork,
  proxySettings,
} from "./node-settings.ts";
import { makeControlGroups, processesIn, removeControlGroups } from "./control-groups.ts";
import type { NodeNetwork } from "./wiring.ts";

export interface NodeOptions {
  readonly network: NodeNetwork;
  /** Its disk. */
  readonly directory: string;
  readonly allPods: string;
  /** Paths of kubeconfigs. */
  readonly kubeletConfig: string;
  readonly proxyConfig: string;
  /** Archives that it is to have before its kubelet is ready. */
  readonly images: readonly string[];
}

/** Each look is a process. */
const CALMLY = { stepMs: 200 };
const IMPORT_LIMIT_MS = 300_000;
/**
 * What a kubelet makes of the machine's kernel. It finds it so already, in files of this node
 * alone: the machine and the containers have their own.
 */
const KERNEL = {
  "vm/overcommit_memory": 1,
  "vm/panic_on_oom": 0,
  "kernel/panic": 10,
  "kernel/panic_on_oops": 1,
  "kernel/keys/root_maxkeys": 1_000_000,
  "kernel/keys/root_maxbytes": 25_000_000,
};
/** What kubelet, containerd and CNI keep where all nodes of a machine would meet. */
export const OWN_PLACES = ["/run/containerd", "/run/netns", "/var/log/pods", "/var/log/containers"];

export class KubeNode implements AsyncDisposable {
  readonly name: string;
  readonly #options: NodeOptions;
  #machine: ChildProcess | null = null;
  #kubelet: ChildProcess | null = null;

  private constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.network.name;
  }

  /** Resolves when its kubelet runs and its images are there. */
  static async start(options: NodeOptions): Promise<KubeNode> {
    const node = new KubeNode(options);
    try {
      await node.powerOn();
      for (const image of options.images) await node.#importImage(image);
    } catch (thrown) {
      await node[Symbol.asyncDispose]();
      throw thrown;
    }
    return node;
  }

  async powerOn(): Promise<void> {
    const { directory, network } = this.#options;
    // On a real machine it is in memory.
    await rm(this.#file("state"), { recursive: true, force: true });
    for (const name of ["state", "containerd", "kubelet", "certificates", "cni", "run", "sys"])
      await mkdir(this.#file(name), { recursive: true });
    await this.#writeSettings();
    makeControlGroups(this.#group);
    const alone = ["--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"];
    const words = [...alone, "--propagation", "slave", "sh", "-ec", this.#firstSteps()];
    const { enter } = network.space;
    this.#machine = this.#spawn("machine", [...enter, "unshare", ...words]);
    await eventually("a node's first steps", () => existsSync(join(directory, "run/ready")));
    this.#startIn("containerd", ["containerd", "--config", this.#file("containerd.toml")]);
    await eventually("containerd", async () => (await this.#ctr(["version"])) !== null, CALMLY);
    this.#startIn("kube-proxy", [
      programPath("kube-proxy"),
      `--config=${this.#file("proxy.json")}`,
    ]);
    this.startKubelet();
  }

  /** Every process of it is gone at once. Resolves when none is left. */
  async powerOff(): Promise<void> {
    const machine = this.#machine;
    this.#machine = null;
    if (machine === null || machine.exitCode !== null || machine.signalCode !== null) return;
    const ended = once(machine, "exit");
    const [first] = readChildren(machine.pid ?? 0) ?? [];
    if (first !== undefined) process.kill(first, "SIGKILL");
    else machine.kill("SIGKILL");
    await ended;
    await eventually("a node without processes", () => processesIn(this.#group).length === 0);
  }

  startKubelet(): void {
    const { network, directory, kubeletConfig } = this.#options;
    this.#kubelet = this.#startIn("kubelet", [
      programPath("kubelet"),
      `--config=${this.#file("kubelet.json")}`,
      `--kubeconfig=${kubeletConfig}`,
      `--hostname-override=${this.name}`,
      `--node-ip=${network.address}`,
      `--root-dir=${join(directory, "kubelet")}`,
      `--cert-dir=${join(directory, "certificates")}`,
      "--container-runtime=remote",
      `--container-runtime-endpoint=unix://${this.#socket}`,
      "--v=1",
    ]);
  }

  /** Pods go on without it. */
  async killKubelet(): Promise<void> {
    const kubelet = this.#kubelet;
    const [pid] = readChildren(kubelet?.pid ?? 0) ?? [];
    if (kubelet === null || pid === undefined) return;
    const ended = once(kubelet, "exit");
    process.kill(pid, "SIGKILL");
    await ended;
  }

  async log(program: "machine" | "kubelet" | "containerd" | "kube-proxy"): Promise<string> {
    return readFile(this.#file(`${program}.log`), "utf8").catch(() => "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerOff();
    removeControlGroups(this.#group);
  }

  get #group(): string {
    return groupOf(this.name);
  }

  get #socket(): string {
    return this.#file("run/containerd.sock");
  }

  #file(name: string): string {
    return join(this.#options.directory, name);
  }

  async #writeSettings(): Promise<void> {
    const { network, directory, allPods, proxyConfig } = this.#options;
    const of = { name: this.name, address: network.address, directory };
    const files = {
      "containerd.toml": containerdSettings({ directory, socket: this.#socket }),
      "kubelet.json": kubeletSettings(of),
      "proxy.json": proxySettings({ ...of, allPods, kubeconfig: proxyConfig }),
      "cni/10-pods.conflist": podNetwork({ directory, pods: network.pods }),
      "resolv.conf": "",
    };
    for (const [name, text] of Object.entries(files)) await writeFile(this.#file(name), text);
    for (const [name, value] of Object.entries(KERNEL))
      await writeFile(this.#file(`sys/${name.replaceAll("/", ".")}`), `${value}\n`);
    await rm(this.#file("run/ready"), { force: true });
  }

  /** What the node's first process does before it only waits for orphans. */
  #firstSteps(): string {
    const own = OWN_PLACES.map((place) => {
      const kept = this.#file(`own${place}`);
      // Sockets and names of namespaces end with the machine, logs do not.
      return place.startsWith("/run/")
        ? `mkdir -p ${place}; mount -t tmpfs tmpfs ${place}`
        : `mkdir -p ${place} ${kept}; mount --bind ${kept} ${place}`;
    });
    const kernel = Object.keys(KERNEL).map(
      (name) => `mount --bind ${this.#file(`sys/${name.replaceAll("/", ".")}`)} /proc/sys/${name}`,
    );
    return [
      "mount --make-rshared /",
      `hostname ${this.name}`,
      ...own,
      ...kernel,
      `touch ${this.#file("run/ready")}`,
      "exec tini-static -- sleep infinity",
    ].join("\n");
  }

  async #importImage(archive: string): Promise<void> {
    const said = await this.#ctr(["--namespace", "k8s.io", "images", "import", archive]);
    if (said === null)
      throw new Error(`${this.name} cannot import ${archive}: ${await this.log("containerd")}`);
  }

  /** Null where it failed. */
  async #ctr(args: readonly string[]): Promise<string | null> {
    const [program = "", ...words] = [...this.#enter(), "ctr", "--address", this.#socket, ...args];
    const options = { program, args: words, timeoutMs: IMPORT_LIMIT_MS };
    const { status, stdout } = await runProgram(options);
    return status === 0 ? stdout : null;
  }

  #enter(): string[] {
    const [first] = readChildren(this.#machine?.pid ?? 0) ?? [];
    if (first === undefined) throw new Error(`the node ${this.name} is off`);
    const spaces = ["--mount", "--pid", "--uts", "--ipc", "--net"];
    return ["nsenter", `--target=${first}`, ...spaces, "--"];
  }

  #startIn(name: string, words: readonly string[]): ChildProcess {
    return this.#spawn(name, [...this.#enter(), ...words]);
  }

  #spawn(name: string, words: readonly string[]): ChildProcess {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...words], {
      cwd: "/",
      stdio: ["ignore", "pipe", "pipe"],
      // Else the kubelet asks the address at which Amazon's machines learn what they are.
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", AWS_EC2_METADATA_DISABLED: "true" },
    });
    const log = createWriteStream(this.#file(`${name}.log`), { flags: "a" });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.once("close", () => log.end());
    return child;
  }
}
