// A real Kubernetes with nodes, on this machine: API server, controllers, scheduler, kubelets that
// run pods in containers, and services. As root, one at a time; what it lacks of the system it
// says. All of it ends with this process, however that ends.
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject, PERSISTENT_VOLUME } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject, ResourceKind } from "../../../src/kubernetes-api/resource.ts";
import { tryLock, type ProcessLock } from "../../../src/store/process-lock.ts";
import { eventually } from "../../support/eventually.ts";
import { openTestCache } from "../../support/installations.ts";
import { ApiServer } from "./api-server.ts";
import { buildNodes } from "./build.ts";
import {
  CONTROL_PLANE_USERS,
  proxyKubeconfig,
  startControlPlane,
  writeKubeconfig,
} from "./control-plane.ts";
import { whyNoKubelet } from "./home.ts";
import { buildImages } from "./images.ts";
import { KubeNode, OWN_PLACES } from "./node.ts";
import { wire, type Wiring } from "./wiring.ts";

export const NODE: ResourceKind = {
  apiVersion: "v1",
  kind: "Node",
  plural: "nodes",
  isClusterWide: true,
};
const STORAGE_CLASS: ResourceKind = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  plural: "storageclasses",
  isClusterWide: true,
};
const ACCOUNT = kindOfObject({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "" } });
/** Of volumes that are directories on a node; a pod takes one where it is scheduled. */
export const LOCAL_CLASS = "local";
const HURRIED = ["nice", "--adjustment=-15"];
const WAIT_LIMIT_MS = 60 * 60_000;
const READY_LIMIT_MS = 180_000;

interface NodeObject extends KubernetesObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export class Kubernetes implements AsyncDisposable {
  readonly api: KubernetesApi;
  readonly server: ApiServer;
  readonly nodes: ReadonlyMap<string, KubeNode>;
  readonly #wiring: Wiring;
  readonly #opened: AsyncDisposableStack;
  #volumes = 0;

  private constructor(parts: {
    server: ApiServer;
    wiring: Wiring;
    nodes: ReadonlyMap<string, KubeNode>;
    opened: AsyncDisposableStack;
  }) {
    this.server = parts.server;
    this.nodes = parts.nodes;
    this.#wiring = parts.wiring;
    this.#opened = parts.opened;
    this.api = this.#opened.use(new KubernetesApi({ access: parts.server.access() }));
  }

  /**
   * Built first where that was not done, which takes many minutes; waits until no other one is on
   * this machine. Resolves when pods can be made.
   * @param options.images archives of more than the usual ones
   * @throws Error that names the Debian packages that are missing.
   */
  static async start(options: { nodes: number; images?: readonly string[] }): Promise<Kubernetes> {
    const obstacle = whyNoKubelet();
    if (obstacle !== null) throw new Error(obstacle);
    await buildNodes();
    const opened = new AsyncDisposableStack();
    try {
      opened.use(await onlyOne());
      opened.defer(removeOwnPlaces);
      const names = Array.from({ length: options.nodes }, (_, index) => `n${index + 1}`);
      const wiring = opened.use(await wire(names));
      const { address, services, ownService } = wiring;
      // A machine of its own would not wait for what else runs on this one.
      const enter = [...wiring.controlPlane.enter, ...HURRIED];
      const kubelets = names.map((name) => `system:node:${name}=system:nodes`);
      const server = opened.use(
        await ApiServer.start({
          users: [...CONTROL_PLANE_USERS, ...kubelets],
          network: { address, services, ownService, enter },
        }),
      );
      opened.use(await startControlPlane({ server, enter, wiring }));
      const nodes = await startNodes({ server, wiring, images: options.images ?? [] }, opened);
      const started = new Kubernetes({ server, wiring, nodes, opened });
      await started.#untilReady();
      return started;
    } catch (thrown) {
      await opened.disposeAsync();
      throw thrown;
    }
  }

  node(name: string): KubeNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  /** Its cable: without, its pods and its kubelet live on and reach nobody. */
  async plug(node: string, cable: "up" | "down"): Promise<void> {
    await this.#wiring.nodes.find(({ name }) => name === node)?.plug(cable);
  }

  async isReady(node: string): Promise<boolean> {
    const read = await this.api.get<NodeObject>(NODE, { name: node });
    const ready = read?.status?.conditions?.find(({ type }) => type === "Ready");
    return ready?.status === "True";
  }

  /** On each node a new volume, for whoever claims one of LOCAL_CLASS. */
  async addVolumes(): Promise<void> {
    this.#volumes += 1;
    for (const node of this.nodes.keys()) await this.#addVolume(node, `${node}-${this.#volumes}`);
  }

  async #addVolume(node: string, name: string): Promise<void> {
    const path = join(this.server.directory, "volumes", name);
    // A kubelet makes it the pod's by its group, of which it may have been nobody's before.
    await mkdir(path, { recursive: true, mode: 0o777 });
    const isThere = { key: "kubernetes.io/hostname", operator: "In", values: [node] };
    const { apiVersion, kind } = PERSISTENT_VOLUME;
    const volume = {
      apiVersion,
      kind,
      metadata: { name },
      spec: {
        capacity: { storage: "10Gi" },
        accessModes: ["ReadWriteOnce"],
        persistentVolumeReclaimPolicy: "Retain",
        storageClassName: LOCAL_CLASS,
        local: { path },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [isThere] }] } },
      },
    };
    await this.api.create<KubernetesObject>(PERSISTENT_VOLUME, volume);
  }

  async #untilReady(): Promise<void> {
    const { apiVersion, kind } = STORAGE_CLASS;
    const local = {
      apiVersion,
      kind,
      metadata: { name: LOCAL_CLASS },
      provisioner: "kubernetes.io/no-provisioner",
      volumeBindingMode: "WaitForFirstConsumer",
    };
    await this.api.create<KubernetesObject>(STORAGE_CLASS, local);
    for (const [name, node] of this.nodes)
      await eventually(`the node ${name} is ready`, () => this.isReady(name), {
        limitMs: READY_LIMIT_MS,
        stepMs: 200,
      }).catch(async (thrown: unknown) => {
        throw new Error(`${String(thrown)}\n${(await node.log("kubelet")).slice(-2_000)}`);
      });
    // Pods are refused before a controller has made it.
    await eventually("the account of pods that have none of their own", async () => {
      return (await this.api.get(ACCOUNT, { namespace: "default", name: "default" })) !== null;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

/** Addresses and control groups have fixed names. */
async function onlyOne(): Promise<ProcessLock> {
  const path = join(await openTestCache(), "kubernetes-nodes.lock");
  const deadline = performance.now() + WAIT_LIMIT_MS;
  for (;;) {
    const lock = tryLock(path);
    if (lock !== null) return lock;
    if (performance.now() > deadline) throw new Error("another Kubernetes runs here for too long");
    await delay(1_000);
  }
}

/** That nodes had mounted their own over, where they were not there before. */
async function removeOwnPlaces(): Promise<void> {
  for (const place of OWN_PLACES) await rmdir(place).catch(() => {});
}

async function startNodes(
  parts: { server: ApiServer; wiring: Wiring; images: readonly string[] },
  opened: AsyncDisposableStack,
): Promise<ReadonlyMap<string, KubeNode>> {
  const { server, wiring } = parts;
  const images = [...(await buildImages(server.directory)), ...parts.images];
  const proxyConfig = await proxyKubeconfig(server);
  const nodes = await Promise.allSettled(
    wiring.nodes.map(async (network) => {
      const directory = join(server.directory, network.name);
      await mkdir(directory);
      const kubeletConfig = await writeKubeconfig(server, `system:node:${network.name}`);
      const { allPods } = wiring;
      const options = { network, directory, allPods, kubeletConfig, proxyConfig, images };
      return opened.use(await KubeNode.start(options));
    }),
  );
  for (const each of nodes) if (each.status === "rejected") throw each.reason;
  const started = nodes.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  return new Map(started.map((node) => [node.name, node]));
}
