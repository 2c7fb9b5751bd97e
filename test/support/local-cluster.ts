// A local cluster for tests: real servers and agents in a directory of its own, made and driven by
// the real command line as a child process. Disposing of it deletes the cluster and fails when a
// process, a file or a directory is left.
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findDeadmen } from "../../src/agent/deadman/deadmen.ts";
import { memberPaths, type MemberPaths } from "../../src/agent/member-paths.ts";
import type { ClusterMember, ClusterStatus } from "../../src/core/cluster-status.ts";
import type { Major } from "../../src/core/spec.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { untilStandsStill } from "../../src/postgres/processes.ts";
import {
  findClusterProcesses,
  findServerPids,
  isAlive,
  signal,
  type FoundProcess,
} from "./cluster-processes.ts";
import { LIMIT_MS, eventually } from "./eventually.ts";
import { installationFor } from "./installations.ts";
import { takePortBlock, type PortBlock } from "./port-block.ts";
import { watchedStatuses } from "./watched-status.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/understudy.js", import.meta.url));
const COMMAND_LIMIT_MS = 300_000;

export interface CommandResult {
  readonly args: readonly string[];
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that still runs. */
export interface RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<CommandResult>;
}

/** What `--json` prints on stderr when a command fails. */
export interface CommandError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export class TestCluster implements AsyncDisposable {
  readonly name: string;
  readonly installation: Installation;
  /** The first member's; the others' follow. */
  readonly port: number;
  /** The cluster's own directory; nothing is there before `up`. */
  readonly dir: string;
  readonly #root: string;
  readonly #ports: PortBlock;
  readonly #within: readonly string[];

  private constructor(of: {
    name: string;
    installation: Installation;
    root: string;
    ports: PortBlock;
    within: readonly string[];
  }) {
    this.name = of.name;
    this.installation = of.installation;
    this.port = of.ports.first;
    this.#ports = of.ports;
    this.#root = of.root;
    this.#within = of.within;
    this.dir = join(of.root, "cluster");
  }

  /**
   * Room and ports for a cluster of this major, or of one installation; `up` makes it.
   * @param within put before each command, as a MountNamespace's `enter`
   */
  static async reserve(
    of: Major | Installation,
    { within = [] }: { within?: readonly string[] } = {},
  ): Promise<TestCluster> {
    const installation = typeof of === "number" ? await installationFor(of) : of;
    // Root's clusters belong to another user, who must be able to come here.
    const root = await mkdtemp(join(await realpath(tmpdir()), "understudy-cluster-"));
    await chmod(root, 0o755);
    const ports = await takePortBlock();
    return new TestCluster({ name: "t", installation, root, ports, within });
  }

  /** Made and streaming. */
  static async up(
    major: Major,
    options: { standbys?: number; within?: readonly string[] } = {},
  ): Promise<TestCluster> {
    const cluster = await TestCluster.reserve(major, options);
    try {
      await cluster.ok(cluster.upArgs(options));
      return cluster;
    } catch (thrown) {
      await cluster[Symbol.asyncDispose]().catch(() => {});
      throw thrown;
    }
  }

  /** Of the first `up`; later ones need none. */
  upArgs(options: { standbys?: number } = {}): string[] {
    const { installation, port } = this;
    const shape = ["--standbys", String(options.standbys ?? 2), "--port", String(port)];
    return ["up", "--pg-bin", installation.binDir, ...shape];
  }

  memberName(ordinal: number): string {
    return `${this.name}-${ordinal}`;
  }

  paths(member: string): MemberPaths {
    return memberPaths(this.dir, member);
  }

  // Commands --------------------------------------------------------------------------------------

  /** Begins `understudy ... --json`. */
  begin(args: readonly string[]): RunningCommand {
    return this.#begin([...args, "--dir", this.dir, "--name", this.name, "--json"]);
  }

  /** One member alone, as after a power cut that the others have not come back from. */
  async startAgent(member: string): Promise<void> {
    const { ended } = this.#begin(["agent", "--dir", this.dir, "--member", member]);
    ended.catch(() => {});
    await eventually(`the agent of ${member} runs`, () => this.deadmanPids(member).length === 1);
  }

  /** A second agent, as `up` would start it; only its exit status and its words can be seen. */
  runAgent(member: string): Promise<CommandResult> {
    return this.#begin(["agent", "--dir", this.dir, "--member", member]).ended;
  }

  #begin(args: readonly string[]): RunningCommand {
    const [program, ...words] = [...this.#within, process.execPath, LAUNCHER, ...args];
    const child = spawn(program ?? "", words, {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: "/",
      env: withoutOurs(process.env),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const timer = setTimeout(() => child.kill("SIGKILL"), COMMAND_LIMIT_MS);
    const ended = new Promise<CommandResult>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, killedBy) => {
        clearTimeout(timer);
        resolve({ args, status, signal: killedBy, stdout, stderr });
      });
    });
    return { child, ended };
  }

  async run(args: readonly string[]): Promise<CommandResult> {
    const result = await this.begin(args).ended;
    // An agent has given everything back some milliseconds before its process is gone.
    if (args[0] === "down") await this.#processesLeft();
    return result;
  }

  /** @returns what it printed. @throws Error with its stderr when it did not succeed. */
  async ok(args: readonly string[]): Promise<string> {
    const result = await this.run(args);
    if (result.status === 0) return result.stdout;
    throw new Error(`${describe(result)}\n${await this.agentsLastWords()}`);
  }

  /** A command that must fail. @returns its exit status and its error. */
  async fails(args: readonly string[]): Promise<{ status: number | null; error: CommandError }> {
    const result = await this.run(args);
    if (result.status === 0) throw new Error(`it did not fail: ${describe(result)}`);
    return { status: result.status, error: errorOf(result) };
  }

  async status(): Promise<ClusterStatus> {
    return JSON.parse(await this.ok(["status"]));
  }

  /** Watches the status until it is as wished. */
  async until(what: string, isSo: (status: ClusterStatus) => boolean): Promise<ClusterStatus> {
    let last: ClusterStatus | null = null;
    return eventually(
      what,
      async () => {
        const watch = this.begin(["status", "--watch", "0.1"]);
        for await (last of watchedStatuses(watch, LIMIT_MS)) if (isSo(last)) return last;
        return null;
      },
      { seen: () => JSON.stringify(last, null, 1) },
    );
  }

  untilHealthy(): Promise<ClusterStatus> {
    return this.until("the cluster is healthy", ({ state }) => state === "healthy");
  }

  // Processes -------------------------------------------------------------------------------------

  processes(): FoundProcess[] {
    return findClusterProcesses(this.dir);
  }

  /** The agent's number. @throws Error when none runs. */
  agentPid(member: string): number {
    const pid = this.findAgent(member);
    if (pid === null) throw new Error(`no agent of ${member} runs`);
    return pid;
  }

  findAgent(member: string): number | null {
    const words = ` agent --dir ${this.dir} --member ${member}`;
    return this.processes().find(({ command }) => command.endsWith(words))?.pid ?? null;
  }

  serverPids(member: string): number[] {
    return findServerPids(this.paths(member).data);
  }

  /** SIGKILL, and waits until they are gone. */
  async kill(...pids: readonly number[]): Promise<void> {
    for (const pid of pids) signal(pid, "SIGKILL");
    await eventually("the killed processes end", () => pids.every((pid) => !isAlive(pid)));
  }

  deadmanPids(member: string): number[] {
    const { data } = this.paths(member);
    return findDeadmen(data).map(({ pid }) => pid);
  }

  /** Agent and deadman, so that neither brings the other back; the server goes on. */
  async killAgentForGood(member: string): Promise<void> {
    const agent = this.findAgent(member);
    // While it stands still it starts no deadman in the place of the one that dies.
    if (agent !== null) signal(agent, "SIGSTOP");
    await untilStandsStill(agent === null ? [] : [agent]);
    await this.kill(...this.deadmanPids(member));
    if (agent !== null) await this.kill(agent);
  }

  /** Agent and deadman first, so that nobody brings the server back. */
  async killMember(member: string): Promise<void> {
    await this.killAgentForGood(member);
    await this.kill(...this.serverPids(member));
  }

  /**
   * Everything of the cluster at once, as a power failure does. It is brought to a stand first, as
   * killing takes its time: whoever saw the primary go would begin to take its part.
   */
  async killAll(): Promise<void> {
    await eventually("every process of the cluster stands still", () => {
      const moving = this.processes().filter(({ isHeld }) => !isHeld);
      for (const { pid } of moving) signal(pid, "SIGSTOP");
      return moving.length === 0;
    });
    await eventually("every process of the cluster is killed", () => {
      const left = this.processes();
      for (const { pid } of left) signal(pid, "SIGKILL");
      return left.length === 0;
    });
  }

  // The end ---------------------------------------------------------------------------------------

  /** What each agent printed and logged last, for a failed test's report. */
  async agentsLastWords(): Promise<string> {
    const { readFile } = await import("node:fs/promises");
    const names = await readdir(join(this.dir, "members")).catch(() => []);
    const words = names.map(async (name) => {
      const { agentOutput, agentLog } = this.paths(name);
      const texts = [agentOutput, agentLog].map((path) => readFile(path, "utf8").catch(() => ""));
      return `${name}: ${(await Promise.all(texts)).join("").slice(-3_000)}`;
    });
    return (await Promise.all(words)).join("\n");
  }

  /** @throws Error when something was left behind that `down --delete` should have taken. */
  async [Symbol.asyncDispose](): Promise<void> {
    const left: string[] = [];
    try {
      const result = await this.run(["down", "--delete", "--yes"]);
      const isGone = result.status !== 0 && errorOf(result).code === "CLUSTER_NOT_FOUND";
      if (result.status !== 0 && !isGone) left.push(describe(result));
      left.push(...(await this.#processesLeft()), ...(await this.#filesLeft(isGone)));
    } finally {
      await this.killAll();
      await rm(this.#root, { recursive: true, force: true });
      await this.#ports[Symbol.asyncDispose]();
    }
    if (left.length > 0) throw new Error(`left behind by ${this.dir}:\n${left.join("\n")}`);
  }

  /** A process that is just ending is given its moment. */
  async #processesLeft(): Promise<string[]> {
    const gone = () => this.processes().length === 0;
    await eventually("processes end", gone, { limitMs: 5_000 }).catch(() => {});
    return this.processes().map(({ pid, command }) => `process ${pid}: ${command}`);
  }

  /**
   * Where there was no cluster any more, an `up` that was killed may have left the beginnings of
   * one.
   */
  async #filesLeft(mayHaveBegun: boolean): Promise<string[]> {
    const entries = await readdir(this.#root, { recursive: true });
    if (!mayHaveBegun) return entries;
    const harmless =
      /^cluster(\/(operation\.lock|record\.db|secrets\.json|members|cluster\.json\.)|$)/;
    return entries.filter((entry) => !harmless.test(entry));
  }
}

export function memberOf(status: ClusterStatus, name: string): ClusterMember {
  const member = status.members.find((each) => each.name === name);
  if (member === undefined) throw new Error(`the status has no member ${name}`);
  return member;
}

/** The error that a failed `--json` command printed. @throws Error when it printed none. */
export function errorOf(result: CommandResult): CommandError {
  const line = result.stderr.split("\n").findLast((each) => each.startsWith("{"));
  try {
    return JSON.parse(line ?? "");
  } catch (cause) {
    throw new Error(`no error document: ${describe(result)}`, { cause });
  }
}

export function describe(result: CommandResult): string {
  const { args, status, signal: killedBy, stderr, stdout } = result;
  return `understudy ${args.join(" ")} ended with ${killedBy ?? status}: ${stderr}${stdout}`;
}

/** What the caller's own surroundings would change. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(UNDERSTUDY_|PG|NODE_TEST|NODE_OPTIONS)/.test(name)),
  );
}
