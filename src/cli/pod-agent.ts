// The agent of a member that runs in a pod: where it is and what it is called it is told by the
// variables that its StatefulSet sets (src/kubernetes/objects/pod.ts).
import { appendFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runKubernetesAgent, type KubernetesAgentOptions } from "../agent/kubernetes-agent.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { checkMemberName } from "../core/name.ts";
import { accessInPod } from "../kubernetes-api/access.ts";
import { KubernetesApi } from "../kubernetes-api/api.ts";
import { terminationWords } from "../kubernetes-api/pod-end.ts";
import { podName, serviceName } from "../kubernetes/objects/names.ts";
import {
  AGENT_PORT,
  DATABASE_CONTAINER,
  DATABASE_PORT,
  PLACES,
} from "../kubernetes/objects/pod.ts";
import { ownProgram } from "./entry.ts";

const TERMINATION_LOG = "/dev/termination-log";

export type Pod = Omit<KubernetesAgentOptions, "api">;

/** @throws UnderstudyError USAGE where a variable is missing. */
export function readPod(env: NodeJS.ProcessEnv): Pod {
  const cluster = needed(env, "UNDERSTUDY_CLUSTER");
  return {
    namespace: needed(env, "UNDERSTUDY_NAMESPACE"),
    cluster,
    member: checkMemberName(needed(env, "UNDERSTUDY_MEMBER")),
    clusterRoot: env["UNDERSTUDY_DIR"] ?? PLACES.cluster,
    walRoot: env["UNDERSTUDY_WAL_DIR"] ?? null,
    told: env["UNDERSTUDY_TOLD"] ?? PLACES.told,
    keys: env["UNDERSTUDY_KEYS"] ?? null,
    address: {
      host: needed(env, "UNDERSTUDY_POD_ADDRESS"),
      port: Number(env["UNDERSTUDY_PORT"] ?? DATABASE_PORT.number),
      apiPort: Number(env["UNDERSTUDY_AGENT_PORT"] ?? AGENT_PORT.number),
    },
    podOf: podName,
    container: DATABASE_CONTAINER,
    slices: { write: serviceName(cluster, "write"), read: serviceName(cluster, "read") },
    terminationLog: env["UNDERSTUDY_TERMINATION_LOG"] ?? TERMINATION_LOG,
    removal: join(tmpdir(), "understudy-removed"),
    deadmanProgram: ownProgram(),
  };
}

/** @throws UnderstudyError as runKubernetesAgent does. */
export async function runPodAgent(pod: Pod, env: NodeJS.ProcessEnv): Promise<void> {
  const directory = env["UNDERSTUDY_SERVICE_ACCOUNT"];
  const access = accessInPod({ env, ...(directory === undefined ? {} : { directory }) });
  using api = new KubernetesApi({ access });
  try {
    await runKubernetesAgent({ ...pod, api });
  } catch (thrown) {
    // The kubelet tells it of the container's end, and the operator in a condition.
    await appendFile(pod.terminationLog, terminationWords(lastWords(thrown))).catch(() => {});
    throw thrown;
  }
}

function lastWords(thrown: unknown): string {
  const message = messageOf(thrown);
  return thrown instanceof UnderstudyError ? `${message}. ${thrown.hint}` : message;
}

function needed(env: NodeJS.ProcessEnv, name: string): string {
  const value = env[name];
  if (value !== undefined && value !== "") return value;
  throw new UnderstudyError("USAGE", `an agent in a pod needs the variable ${name}`);
}
