// The agents' processes: started detached, so that they outlive the command, and told to shut down
// over their own API.
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { DISMISS, endDeadmen } from "../agent/deadman/deadmen.ts";
import { memberPaths } from "../agent/member-paths.ts";
import { agentRuns } from "../agent/witness.ts";
import { UnderstudyError } from "../core/errors.ts";
import type { RecordMember } from "../core/record.ts";
import { PostgresServer } from "../postgres/server.ts";
import { askAgent, type LocalCluster, type Operation } from "./cluster.ts";
import { giveTo, type Owner } from "./owner.ts";

/** An agent that closes its API has this long until it is gone. */
const END_GRACE_MS = 500;
/** One that its deadman has just started again has this long until it answers. */
const BEGIN_GRACE_MS = 10_000;

/** How this program is started again: the file, and what comes before "agent". */
export interface AgentProgram {
  readonly file: string;
  readonly argsPrefix: readonly string[];
  /** Put into its environment, where that has nothing else of the name. */
  readonly env: Readonly<Record<string, string>>;
}

export interface StartedAgent {
  readonly pid: number;
  /** Its member's data directory. */
  readonly data: string;
  /** Null as long as it runs; then how it ended. */
  ended(): string | null;
}

/** Starts the agent of a member. It may end at once: ask `ended`, and its output tells why. */
export async function startAgent(options: {
  root: string;
  member: string;
  owner: Owner | null;
  program: AgentProgram;
}): Promise<StartedAgent> {
  const { root, member, owner, program } = options;
  const paths = memberPaths(root, member);
  await mkdir(paths.logs, { recursive: true, mode: 0o700 });
  const output = openSync(paths.agentOutput, "w", 0o600);
  await giveTo(owner, [paths.root, paths.logs, paths.agentOutput]);
  try {
    const child = spawn(
      program.file,
      [...program.argsPrefix, "agent", "--dir", root, "--member", member],
      {
        detached: true,
        stdio: ["ignore", output, output],
        cwd: "/",
        env: { ...program.env, ...process.env },
      },
    );
    let ended: string | null = null;
    child.once("error", (error) => (ended = error.message));
    child.once("exit", (status, signal) => (ended = `ended with ${signal ?? `status ${status}`}`));
    child.unref();
    return { pid: child.pid ?? 0, data: paths.data, ended: () => ended };
  } finally {
    closeSync(output);
  }
}

const END_LIMIT_MS = 60_000;

/**
 * Ends agents that this process has started, however far they have come: one that does not hold its
 * lock yet is seen by nobody else. They stop their servers first.
 */
export async function endStarted(agents: Iterable<StartedAgent>): Promise<void> {
  const all = [...agents];
  const alive = () => all.filter((agent) => agent.ended() === null);
  for (const { pid } of alive()) process.kill(pid, "SIGTERM");
  const deadline = performance.now() + END_LIMIT_MS;
  while (alive().length > 0 && performance.now() < deadline) await delay(20);
  for (const { pid, data } of alive()) {
    await endDeadmen({ dataDir: data, signal: DISMISS });
    process.kill(pid, "SIGKILL");
  }
}

/** What an agent that ended printed last: the first line is the sentence. */
export async function lastWordsOf(root: string, member: string): Promise<string> {
  const text = await readFile(memberPaths(root, member).agentOutput, "utf8").catch(() => "");
  return text.trim().split("\n").at(0) ?? "";
}

/**
 * Ends a member: PostgreSQL by a fast shutdown, then the agent. Where no agent runs but its server
 * does, that is stopped.
 * @throws UnderstudyError MEMBER_UNREACHABLE when the agent runs but does not answer, STOP_FAILED,
 * TIMED_OUT.
 */
export async function stopMember(
  cluster: LocalCluster,
  of: { name: string; address: RecordMember; operation: Pick<Operation, "signal" | "timeoutMs"> },
): Promise<void> {
  const { name, address, operation } = of;
  const { root } = cluster.paths;
  if (await isWithoutAgent(root, name)) return stopServerWithoutAgent(cluster, { name, operation });
  const answerBy = performance.now() + BEGIN_GRACE_MS;
  for (;;)
    try {
      await askAgent(cluster, { member: address, path: "/shut-down", operation });
      break;
    } catch (thrown) {
      // It may have ended, as it was asked to or otherwise, before its answer was out, and its
      // deadman may just be starting it again: what counts is what is left.
      if (!(thrown instanceof UnderstudyError) || thrown.code !== "MEMBER_UNREACHABLE")
        throw thrown;
      await delay(END_GRACE_MS, undefined, { signal: operation.signal });
      if (await isWithoutAgent(root, name))
        return stopServerWithoutAgent(cluster, { name, operation });
      if (performance.now() > answerBy) throw thrown;
    }
  const deadline = performance.now() + operation.timeoutMs;
  while (agentRuns(root, name)) {
    operation.signal.throwIfAborted();
    if (performance.now() > deadline)
      throw new UnderstudyError(
        "TIMED_OUT",
        `the agent of ${name} has not ended within ${operation.timeoutMs / 1000} s`,
      );
    await delay(20);
  }
}

/** Whether no agent runs, and none will come by itself: a dead one's deadman is sent away. */
export async function isWithoutAgent(root: string, member: string): Promise<boolean> {
  if (agentRuns(root, member)) return false;
  await endDeadmen({ dataDir: memberPaths(root, member).data, signal: DISMISS });
  return !agentRuns(root, member);
}

/** Of a member that no agent runs; nothing running is a success. */
export async function stopServerWithoutAgent(
  cluster: LocalCluster,
  of: { name: string; operation: Pick<Operation, "signal" | "timeoutMs"> },
): Promise<void> {
  const paths = memberPaths(cluster.paths.root, of.name);
  await endDeadmen({ dataDir: paths.data, signal: DISMISS });
  const server = new PostgresServer({
    installation: cluster.file.installation,
    dataDir: paths.data,
    configFile: paths.configFile,
    logDir: paths.logs,
    onExit: () => {},
  });
  await server.killOrphans(of.operation.signal);
  await server.stop({ mode: "fast", ...of.operation });
}
