// Where the tests' Kubernetes is kept once it was built: beside the other things that tests fetch
// or make once. Version 1.20 is what Debian 12 has the source of.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { testCacheDir } from "../../support/installations.ts";

export const KUBERNETES_VERSION = "1.20.2";

/** What the API needs; what runs pods is built by itself. */
export const API_PROGRAMS = ["etcd", "kube-apiserver"] as const;
export type ApiProgram = (typeof API_PROGRAMS)[number];

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

/** Whether somebody has asked for it, who then waits for as long as it takes to build it. */
export function isKubernetesWanted(): boolean {
  return process.env["UNDERSTUDY_TEST_KUBERNETES"] === "1";
}

/** Null where tests against the real Kubernetes are to be run; else why they are not. */
export function whyNoKubernetes(): string | null {
  if (isKubernetesWanted() || isApiBuilt()) return null;
  return "no Kubernetes was built on this machine: npm run test:kubernetes does (some ten minutes)";
}
