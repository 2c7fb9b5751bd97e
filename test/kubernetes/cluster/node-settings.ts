// What containerd, kubelet, kube-proxy and the pods' network are told on a node of the tests.
import { join } from "node:path";

/** The control group of a node, below which the kubelet makes those of its pods. */
export function groupOf(node: string): string {
  return `understudy-${node}`;
}

/** Of the images that a node brings along. */
export const PAUSE_IMAGE = "localhost/pause:1";

export function containerdSettings(of: { directory: string; socket: string }): string {
  const { directory, socket } = of;
  const unused = ["snapshotter.v1.btrfs", "snapshotter.v1.zfs", "snapshotter.v1.aufs"];
  const disabled = [...unused, "snapshotter.v1.devmapper", "internal.v1.opt", "nri.v1.nri"];
  return `version = 2
root = "${join(directory, "containerd")}"
state = "${join(directory, "state")}"
oom_score = 0
disabled_plugins = [${disabled.map((name) => `"io.containerd.${name}"`).join(", ")}]
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  disable_apparmor = true
  # Root may lack the right to lower it; runc would then end without a word.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${join(directory, "cni")}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
        SystemdCgroup = false
`;
}

/** Timers that matter to a failover are as Kubernetes has them; only the start is hastened. */
export function kubeletSettings(of: { name: string; directory: string }): string {
  return JSON.stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    // It listens in a network of its own, for the API server alone.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${groupOf(of.name)}`,
    clusterDomain: "cluster.local",
    resolvConf: join(of.directory, "resolv.conf"),
    failSwapOn: false,
    readOnlyPort: 0,
    enforceNodeAllocatable: ["pods"],
    // The disk is the machine's, and as full as that is.
    evictionHard: {
      "memory.available": "100Mi",
      "nodefs.available": "1%",
      "nodefs.inodesFree": "0%",
      "imagefs.available": "1%",
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    nodeStatusUpdateFrequency: "2s",
    volumePluginDir: join(of.directory, "plugins"),
  });
}

export function proxySettings(of: {
  name: string;
  address: string;
  allPods: string;
  kubeconfig: string;
}): string {
  return JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    bindAddress: of.address,
    clientConnection: { kubeconfig: of.kubeconfig },
    clusterCIDR: of.allPods,
    hostnameOverride: of.name,
    mode: "iptables",
    // These would be the machine's.
    conntrack: { maxPerCore: 0, min: 0, tcpCloseWaitTimeout: "0s", tcpEstablishedTimeout: "0s" },
  });
}

export function podNetwork(of: { directory: string; pods: string }): string {
  return JSON.stringify({
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          ranges: [[{ subnet: of.pods }]],
          routes: [{ dst: "0.0.0.0/0" }],
          dataDir: join(of.directory, "addresses"),
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}
