// The networks of a Kubernetes on one machine: a switch to which the control plane, each node and
// this machine are connected, with routes to pods and services. All are gone when this process is.
import { run } from "../../support/debian-packages.ts";
import { NetworkSpace } from "./network-space.ts";

const PREFIX = "10.213";
const SERVICES = "10.214.0.0/16";
const MACHINE_LINK = "understudy-k8s";
/** Nodes are not among them: what comes from there to a service is to go back the same way. */
const FIRST_PODS = 128;
/** There where the kernel has br_netfilter, which Kubernetes needs. */
const FILTERS_BRIDGES = "net/bridge/bridge-nf-call-iptables";
const CONTROL_PLANE = `${PREFIX}.0.1`;

export interface NodeNetwork {
  readonly name: string;
  readonly space: NetworkSpace;
  readonly address: string;
  /** Of its pods: "10.213.128.0/24". */
  readonly pods: string;
  /** Its cable: without, pods and kubelet live on and reach nobody. */
  plug(cable: "up" | "down"): Promise<void>;
}

export interface Wiring extends AsyncDisposable {
  readonly controlPlane: NetworkSpace;
  readonly address: string;
  readonly services: string;
  /** Of the API server, among them. */
  readonly ownService: string;
  readonly allPods: string;
  readonly nodes: readonly NodeNetwork[];
}

/** @throws Error where the addresses are in use here. */
export async function wire(nodeNames: readonly string[]): Promise<Wiring> {
  const opened = new AsyncDisposableStack();
  try {
    // One that was killed: the kernel keeps its networks until the last connection is given up.
    await unplugMachine();
    const controlPlane = opened.use(await NetworkSpace.open());
    opened.defer(unplugMachine);
    await connectControlPlane(controlPlane);
    const nodes: NodeNetwork[] = [];
    for (const [index, name] of nodeNames.entries()) {
      const space = opened.use(await NetworkSpace.open());
      const pods = `${PREFIX}.${FIRST_PODS + index}.0/24`;
      const address = `${PREFIX}.0.${index + 11}`;
      const plug = (cable: "up" | "down") => controlPlane.ip(`link set ${name} ${cable}`);
      const node = { name, space, address, pods, plug };
      await connectNode(node, controlPlane);
      nodes.push(node);
    }
    for (const { space, name } of nodes)
      for (const other of nodes.filter((each) => each.name !== name))
        await space.ip(`route add ${other.pods} via ${other.address}`);
    return {
      controlPlane,
      address: CONTROL_PLANE,
      services: SERVICES,
      ownService: "10.214.0.1",
      allPods: `${PREFIX}.${FIRST_PODS}.0/17`,
      nodes,
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  } catch (thrown) {
    await opened.disposeAsync();
    throw thrown;
  }
}

/** The switch, and this machine at it: what a test asks of a service goes by the control plane. */
async function connectControlPlane(space: NetworkSpace): Promise<void> {
  // What nodes say to each other is none of its business.
  await space.set(FILTERS_BRIDGES, "0");
  await space.ip("link add switch type bridge");
  await space.ip(`addr add ${CONTROL_PLANE}/24 dev switch`);
  await space.ip("link set switch up");
  await onMachine(`link add ${MACHINE_LINK} type veth peer name machine netns ${space.pid}`);
  await space.ip("link set machine master switch up");
  await onMachine(`addr add ${PREFIX}.0.254/24 dev ${MACHINE_LINK}`);
  await onMachine(`link set ${MACHINE_LINK} up`);
  await onMachine(`route add ${SERVICES} via ${CONTROL_PLANE}`);
}

async function connectNode(node: NodeNetwork, controlPlane: NetworkSpace): Promise<void> {
  const { name, space, address, pods } = node;
  // Else a pod that is answered by another one of its node would see that one's own address.
  await space.set(FILTERS_BRIDGES, "1");
  const cable = `link add eth0 type veth peer name ${name} netns ${controlPlane.pid}`;
  await space.ip(cable);
  await controlPlane.ip(`link set ${name} master switch up`);
  await space.ip(`addr add ${address}/24 dev eth0`);
  await space.ip("link set eth0 up");
  await space.ip(`route add default via ${CONTROL_PLANE}`);
  for (const add of [onMachine, (command: string) => controlPlane.ip(command)])
    await add(`route add ${pods} via ${address}`);
}

/** Routes go with it. */
async function unplugMachine(): Promise<void> {
  await onMachine(`link delete ${MACHINE_LINK}`).catch(() => {});
}

async function onMachine(command: string): Promise<void> {
  await run("ip", command.split(" "));
}
