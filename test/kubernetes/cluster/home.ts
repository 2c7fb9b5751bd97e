// Where the tests' Kubernetes is kept once it was built: beside the other things that tests fetch
// or make once. Version 1.20 is what Debian 12 has the source of.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { testCacheDir } from "../../support/installations.ts";

export const KUBERNETES_VERSION = "1.20.2";

/** What the API needs. */
export const API_PROGRAMS = ["etcd", "kube-apiserver"] as const;
/** What pods need beside it. */
export const NODE_PROGRAMS = [
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
] as const;
/** Not built but taken from the system: program, or a file, and the Debian package that has it. */
const NODE_PACKAGES = {
  "/usr/bin/containerd": "containerd",
  "/usr/sbin/runc": "runc",
  "/usr/lib/cni/bridge": "containernetworking-plugins",
  "/usr/sbin/iptables": "iptables",
  "/usr/sbin/conntrack": "conntrack",
  "/usr/sbin/ip": "iproute2",
  "/usr/bin/nsenter": "util-linux",
  "/usr/bin/tini-static": "tini",
  "/bin/busybox": "busybox-static",
  "/usr/lib/postgresql/15/bin/postgres": "postgresql-15",
};

export function kubernetesHome(): string {
  return join(testCacheDir(), `kubernetes-${KUBERNETES_VERSION}`);
}

export function programPath(name: string): string {
  return join(kubernetesHome(), "bin", name);
}

/** Programs come there whole, by a rename. */
export function isApiBuilt(): boolean {
  return API_PROGRAMS.every((name) => existsSync(programPath(name)));
}

/** And the API with them. */
export function areNodesBuilt(): boolean {
  return isApiBuilt() && NODE_PROGRAMS.every((name) => existsSync(programPath(name)));
}

/**
 * Whether somebody has asked for it, who then waits for as long as it takes to build it:
 * UNDERSTUDY_TEST_KUBERNETES=1 the API, =nodes that and nodes with pods.
 */
export function isKubernetesWanted(): boolean {
  return ["1", "nodes"].includes(process.env["UNDERSTUDY_TEST_KUBERNETES"] ?? "");
}

/** Null where tests against the real Kubernetes are to be run; else why they are not. */
export function whyNoKubernetes(): string | null {
  if (isKubernetesWanted() || isApiBuilt()) return null;
  return "no Kubernetes was built on this machine: npm run test:kubernetes does (some ten minutes)";
}

/** Null where pods are to be run: only where that was asked for, since it takes a machine. */
export function whyNoNodes(): string | null {
  if (process.env["UNDERSTUDY_TEST_KUBERNETES"] === "nodes") return null;
  return "nodes of Kubernetes are started by npm run test:kubernetes alone";
}

/** Null where this machine can be a node; else what it lacks. Nothing is installed by a test. */
export function whyNoKubelet(): string | null {
  if (process.getuid?.() !== 0) return "a kubelet needs root";
  const missing = Object.entries(NODE_PACKAGES).filter(([path]) => !existsSync(path));
  if (missing.length === 0) return null;
  const packages = missing.map(([, name]) => name).join(" ");
  return `nodes of Kubernetes need what is missing here: apt-get install --no-install-recommends ${packages}`;
}
