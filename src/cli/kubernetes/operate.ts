// Puts the operator together: its access to the API, the agents' HTTP API, its log and its probes.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { createSecureContext } from "node:tls";
import { askStatus, postToAgent, type Trust } from "../../agent/peer.ts";
import { createServer } from "../../agent/node-http.ts";
import { messageOf, UnderstudyError } from "../../core/errors.ts";
import { accessInPod, type ApiAccess } from "../../kubernetes-api/access.ts";
import { KubernetesApi } from "../../kubernetes-api/api.ts";
import type { Agents } from "../../kubernetes/operator/agents.ts";
import { runOperator } from "../../kubernetes/operator/operator.ts";
import type { OperatorCommandOptions } from "../commands/operator.ts";
import type { CliContext } from "../session.ts";
import { parameterObjections } from "./parameter-objections.ts";
import { readKubeconfig } from "./kubeconfig.ts";

export const AGENTS: Agents = {
  status: async (place, { trusted, member, ...options }) =>
    askStatus(place, { ...options, trust: trustIn(trusted, { member }) }),
  ask: async (place, { trusted, member, ...options }) =>
    postToAgent(place, { ...options, trust: trustIn(trusted, { member }) }),
};

/** Every agent in a pod speaks TLS: one that cannot be known is not asked. */
function trustIn(trusted: string | null, { member }: { member: string }): Trust {
  if (trusted !== null)
    return { by: createSecureContext({ ca: trusted, minVersion: "TLSv1.2" }), member };
  throw new UnderstudyError(
    "MEMBER_UNREACHABLE",
    `the agent of ${member} is not asked: nobody is known who vouches for it`,
  );
}

/** @throws UnderstudyError USAGE, KUBECONFIG_*, PORT_TAKEN. */
export async function operate(
  context: CliContext,
  options: OperatorCommandOptions & { readonly context: string | undefined },
): Promise<void> {
  const { env, signal } = context;
  const log = (entry: Readonly<Record<string, unknown>>) => {
    const line = { at: new Date().toISOString(), ...entry };
    context.stdout.write(`${JSON.stringify(line)}\n`);
  };
  const namespace = options.operatorNamespace ?? env["UNDERSTUDY_NAMESPACE"];
  const agentImage = options.agentImage ?? env["UNDERSTUDY_IMAGE"];
  if (namespace === undefined || agentImage === undefined)
    throw new UnderstudyError(
      "USAGE",
      "an operator needs --operator-namespace and --agent-image, or UNDERSTUDY_NAMESPACE and UNDERSTUDY_IMAGE",
    );
  const self = `${hostname()}_${randomUUID()}`;
  await using _probes = await answerProbes(Number(options.port));
  using api = new KubernetesApi({ access: await accessOf(context, options) });
  log({ event: "operator-started", message: `The operator ${self} starts.` });
  await runOperator({
    api,
    agents: AGENTS,
    check: parameterObjections,
    surroundings: {
      agentImage,
      clusterDomain: options.clusterDomain,
      operatorNamespace: namespace,
    },
    namespace,
    self,
    onEvent: ({ type, reason, note }, cluster) =>
      log({
        event: reason,
        level: type === "Warning" ? "warning" : "info",
        ...cluster,
        message: note,
      }),
    onTrouble: (why) => log({ event: "trouble", level: "warning", ...why.toJSON() }),
    onLeading: (isLeading) =>
      log({
        event: isLeading ? "leading" : "not-leading",
        message: isLeading ? "This operator is at work." : "This operator is not at work any more.",
      }),
    signal,
  });
  log({ event: "operator-ended", message: `The operator ${self} ends.` });
}

async function accessOf(
  { env }: CliContext,
  { context }: { readonly context: string | undefined },
): Promise<ApiAccess> {
  const isPod = env["KUBERNETES_SERVICE_HOST"] !== undefined && context === undefined;
  return isPod ? accessInPod({ env }) : (await readKubeconfig({ env, context })).access;
}

/** Whether the process turns; whether it leads says its Lease. */
async function answerProbes(port: number): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === "/liveness" ? 200 : 404;
    response.end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new UnderstudyError(
          "PORT_TAKEN",
          `cannot listen for probes on port ${port}: ${messageOf(cause)}`,
          { cause },
        ),
      ),
    );
    server.listen(port, () => resolve());
  });
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
