// The program of an agent process, `understudy agent --dir DIR --member NAME`, or `understudy
// agent` alone as the first process of a pod's container: started by `up` or by Kubernetes, no
// command for people. It stands apart from the other commands because it runs beside a database for
// months and loads nothing that it does not need.
import { fstatSync } from "node:fs";
import { say } from "../agent/last-words.ts";
import { LogForwarder } from "../agent/logs/log-forwarder.ts";
import { clusterPaths, memberPaths } from "../agent/member-paths.ts";
import { runAgent } from "../agent/run-agent.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { checkMemberName } from "../core/name.ts";
import { SqliteStore } from "../store/sqlite-store.ts";
import { forgetMalloc, ownProgram, startAgainFromWarmCache } from "./entry.ts";
import { namedArguments } from "./named-arguments.ts";

const STDOUT = 1;

/** @param args what comes after "understudy". @returns the exit status; see EXIT_STATUSES. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    if (args.length === 1 && process.env["UNDERSTUDY_POD_ADDRESS"] !== undefined)
      return await mainInPod();
    const { dir, member } = readArguments(args.slice(1));
    startAgainFromWarmCache();
    forgetMalloc(process.env);
    const path = clusterPaths(dir).record;
    const logs = logsToStdout(dir, member);
    await logs?.begin();
    await runAgent({
      clusterRoot: dir,
      member,
      openStore: (cluster) => new SqliteStore({ path, cluster }),
      deadman: { program: ownProgram(), policy: "own-liveness" },
    });
    await logs?.end();
    return 0;
  } catch (thrown) {
    // The first line is what `up` shows; the rest is for whoever reads the file.
    say(messageOf(thrown));
    if (!(thrown instanceof UnderstudyError) && thrown instanceof Error) say(thrown.stack ?? "");
    return thrown instanceof UnderstudyError ? thrown.exit : 1;
  }
}

/** What only that needs, the agents of one machine do not load. */
async function mainInPod(): Promise<number> {
  forgetMalloc(process.env);
  const { readPod, runPodAgent } = await import("./pod-agent.ts");
  const pod = readPod(process.env);
  const logs = logsToStdout(pod.clusterRoot, pod.member);
  await logs?.begin();
  await runPodAgent(pod, process.env);
  await logs?.end();
  return 0;
}

/**
 * As a container's runtime wants them, where the image's launcher says so. Not into a file: an
 * agent that its deadman has started again writes into one of the logs.
 */
function logsToStdout(dir: string, member: string): LogForwarder | null {
  if (process.env["UNDERSTUDY_LOGS"] !== "stdout" || fstatSync(STDOUT).isFile()) return null;
  const { logs } = memberPaths(dir, member);
  return new LogForwarder({ member, directory: logs, descriptor: STDOUT });
}

function readArguments(args: readonly string[]): { dir: string; member: string } {
  const named = namedArguments(args);
  const [dir, member] = [named.get("dir"), named.get("member")];
  if (dir === undefined || member === undefined)
    throw new UnderstudyError(
      "USAGE",
      "an agent needs --dir, its cluster's directory, and --member",
    );
  return { dir, member: checkMemberName(member) };
}
