// The agents of a cluster with an API server of their own, which goes when they do.
import { takePortBlock } from "../support/port-block.ts";
import { ApiServer } from "./cluster/api-server.ts";
import { PodAgents } from "./pod-agents.ts";

export async function agentsOfOwnServer(options: { standbys: number }) {
  const opened = new AsyncDisposableStack();
  const ports = opened.use(await takePortBlock());
  const users = ["system:serviceaccount:shop:izdb-agents"];
  const server = opened.use(await ApiServer.start({ users }));
  const cluster = opened.use(await PodAgents.start(server, { ...options, port: ports.first + 1 }));
  return { server, cluster, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}
