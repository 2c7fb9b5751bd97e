// The operator as a pod, put there by the command that everybody uses.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeFile } from "node:fs/promises";
import { kindOfObject, POD } from "../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../src/kubernetes-api/resource.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import { eventually } from "../support/eventually.ts";
import { AGENT_IMAGE } from "./cluster/images.ts";
import type { Kubernetes } from "./cluster/kubernetes.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/understudy.js", import.meta.url));
const PLACE = { namespace: "understudy", name: "understudy-operator" };
const DEPLOYMENT = kindOfObject({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "" },
});
const LIMIT_MS = 120_000;

/** Resolves when it is ready. */
export async function installOperator(kubernetes: Kubernetes): Promise<void> {
  const { status, stderr } = await understudy(kubernetes, [
    "kubernetes",
    "install",
    "--image",
    AGENT_IMAGE,
  ]);
  if (status !== 0) throw new Error(`understudy kubernetes install failed: ${stderr}`);
  await scaleOperator(kubernetes, 1);
}

/** As its user runs it, with a kubeconfig. */
export async function understudy(
  kubernetes: Kubernetes,
  args: readonly string[],
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const kubeconfig = join(kubernetes.server.directory, "administrator.kubeconfig");
  await writeFile(kubeconfig, kubernetes.server.kubeconfig(), { mode: 0o600 });
  return runProgram({
    program: process.execPath,
    args: [PROGRAM, ...args],
    env: { ...process.env, KUBECONFIG: kubeconfig, NO_COLOR: "1" },
    timeoutMs: LIMIT_MS,
  });
}

/** Resolves when so many are ready, and no other is left. */
export async function scaleOperator(kubernetes: Kubernetes, replicas: number): Promise<void> {
  const { api } = kubernetes;
  await api.patch(DEPLOYMENT, { place: PLACE, patch: { spec: { replicas } } });
  await eventually(
    `${replicas} operators`,
    async () => {
      const { items } = await api.list<KubernetesObject>(POD, { namespace: PLACE.namespace });
      return items.length === replicas && items.every(isReady);
    },
    { stepMs: 250 },
  );
}

/** Names of the operators' pods. */
export async function operatorPods(kubernetes: Kubernetes): Promise<string[]> {
  const { items } = await kubernetes.api.list(POD, { namespace: PLACE.namespace });
  return items.map(({ metadata }) => metadata.name);
}

function isReady(pod: KubernetesObject): boolean {
  const conditions: { type: string; status: string }[] =
    Object(Object(pod).status).conditions ?? [];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}
