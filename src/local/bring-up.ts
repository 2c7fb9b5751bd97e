// Starts the agents of a cluster and waits until every standby streams.
import { existsSync } from "node:fs";
import { memberPaths } from "../agent/member-paths.ts";
import type { ClusterRecord } from "../core/record.ts";
import { FileWatch } from "../postgres/file-watch.ts";
import { isWithoutAgent, startAgent, type StartedAgent } from "./agents.ts";
import { awaitStreaming } from "./await-streaming.ts";
import type { LocalCluster } from "./cluster.ts";
import type { Founding } from "./founding.ts";
import type { Owner } from "./owner.ts";
import type { UpOptions, UpResult, UpSurroundings } from "./up.ts";

const HEAD_START_MS = 1_000;
const HEAD_START_POLL_MS = 50;

/** @throws as awaitStreaming does, and as the founding of a new cluster. */
export async function bringUp(
  cluster: LocalCluster,
  options: UpOptions,
  around: UpSurroundings & {
    owner: Owner | null;
    record: ClusterRecord;
    /** Of a new cluster, the data of which is being made. */
    founding?: Founding;
    /** Gets the agents as they are started, so that a caller who gives up can end them. */
    started: Map<string, StartedAgent>;
  },
): Promise<UpResult> {
  const begunMs = performance.now();
  const { root } = cluster.paths;
  const { started, founding, onStep } = around;
  const { signal, timeoutMs } = options;
  if (founding !== undefined)
    onStep({
      kind: "member-working",
      member: founding.founder,
      progress: { step: "initdb", bytesDone: null, bytesTotal: null, remainingSeconds: null },
    });
  for (const member of Object.keys(around.record.members)) {
    signal.throwIfAborted();
    // Of a cluster that has just been made there are none, and looking for them takes its time.
    if (founding === undefined && !(await isWithoutAgent(root, member))) continue;
    const { owner, program } = around;
    const agent = await startAgent({ root, member, owner, program });
    started.set(member, agent);
    // One after the other: initdb then shares the machine with one agent that loads and not with
    // all.
    if (founding !== undefined) await untilLoaded(root, { member, agent });
  }
  // Nothing else happens before; whoever looked meanwhile would only take its time.
  await founding?.made;
  const status = await awaitStreaming(cluster, { started, begunMs, timeoutMs, signal, onStep });
  return { status, alreadyRunning: started.size === 0 };
}

/** A head start and no condition: whether it comes up is watched for by awaitStreaming. */
async function untilLoaded(
  root: string,
  of: { member: string; agent: StartedAgent },
): Promise<void> {
  const { address } = memberPaths(root, of.member);
  const deadline = performance.now() + HEAD_START_MS;
  // Written when it can be asked.
  using watch = new FileWatch(address, { pollMs: HEAD_START_POLL_MS });
  while (of.agent.ended() === null && performance.now() < deadline && !existsSync(address))
    await watch.changed();
}
