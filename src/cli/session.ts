// What one run of a command has at hand: the global options, where its output goes and how it may
// look, and the cluster that it is about.
import type { Readable, Writable } from "node:stream";
import type { Command } from "commander";
import type { ClusterStatus } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import { checkClusterName } from "../core/name.ts";
import { confirm } from "./output/confirm.ts";
import { formatAnswer, isForPrograms, type Answer, type OutputFormat } from "./output/document.ts";
import { LineLog, LiveBlock } from "./output/live-view.ts";
import { isLive, lookOf, mark, paint, type Environment, type Look } from "./output/look.ts";
import type { LocalCluster, Operation } from "../local/cluster.ts";
import type { localCommands } from "../local/commands.ts";
import type { ClusterPlace } from "../local/place.ts";
import { isPlugin, programAsCalled } from "./screens/program-name.ts";

export interface TerminalOutput extends Writable {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

export interface TerminalInput extends Readable {
  readonly isTTY?: boolean | undefined;
  setRawMode?(raw: boolean): unknown;
}

/**
 * Loaded only when a command needs it: help and mistakes in the command line are answered at once.
 */
export type LocalCommands = ReturnType<typeof localCommands>;

/** What the world gives to the program; the composition root fills it in. */
export interface CliContext {
  /** What was typed after the program's name. */
  readonly args: readonly string[];
  readonly env: Environment;
  readonly uid: number;
  readonly stdin: TerminalInput;
  readonly stdout: TerminalOutput;
  readonly stderr: TerminalOutput;
  /** Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Nobody reads stdout any more (`… | head`): following and watching end. */
  readonly outputClosed: AbortSignal;
  readonly loadLocal: () => Promise<LocalCommands>;
  readonly setExitStatus: (status: number) => void;
  /** Another program has the terminal: Ctrl-C is its own until the returned function is called. */
  readonly handOverTerminal: () => () => void;
}

export interface GlobalOptions {
  readonly name?: string;
  readonly dir?: string;
  /** Either of them: the cluster is on Kubernetes. */
  readonly context?: string;
  readonly namespace?: string;
  readonly output?: OutputFormat;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly color?: boolean;
}

export class Session {
  readonly context: CliContext;
  readonly options: GlobalOptions;
  readonly format: OutputFormat;
  readonly yes: boolean;
  /** Else `options.name` is the environment's. */
  readonly #isNameTyped: boolean;

  constructor(context: CliContext, command: Command) {
    this.context = context;
    this.options = command.optsWithGlobals<GlobalOptions>();
    this.#isNameTyped = command.getOptionValueSourceWithGlobals("name") === "cli";
    this.format = formatOf(this.options);
    this.yes = this.options.yes === true || isTrue(context.env["UNDERSTUDY_YES"]);
  }

  /** Asked anew each time: a terminal may be resized. */
  get out(): Look {
    return this.#lookOf(this.context.stdout);
  }

  get err(): Look {
    return this.#lookOf(this.context.stderr);
  }

  #lookOf(stream: TerminalOutput): Look {
    const colour = this.options.color === false ? false : undefined;
    return lookOf(stream, { env: this.context.env, colour });
  }

  get program(): string {
    return programAsCalled(this.context);
  }

  get isOnKubernetes(): boolean {
    const { context, namespace } = this.options;
    return context !== undefined || namespace !== undefined || isPlugin(this.context.env);
  }

  /** A person reads stdout as well: screens rather than documents. */
  get forPeople(): boolean {
    return !isForPrograms(this.format) && this.format !== "name";
  }

  async answer(answer: Answer): Promise<void> {
    this.print(await formatAnswer(answer, { format: this.format, look: this.out }));
  }

  /** Data. */
  print(text: string): void {
    if (text !== "" && !this.context.outputClosed.aborted) this.context.stdout.write(text);
  }

  /** Everything that is not data. */
  note(text: string): void {
    this.context.stderr.write(`${text}\n`);
  }

  step(text: string): void {
    this.note(`${paint(this.err, "good", mark(this.err, "check"))} ${text}`);
  }

  /** A block that is painted over on a terminal, or appended lines. */
  progressBlock(): { readonly live: boolean; readonly block: LiveBlock | LineLog } {
    const { stderr, env } = this.context;
    const live = isLive(stderr, env);
    return { live, block: live ? new LiveBlock(stderr) : new LineLog(stderr) };
  }

  /** @throws UnderstudyError CONFIRMATION_NEEDED or REFUSED. */
  async confirm(question: { what: string; expect: string; flag: string }): Promise<void> {
    const { stdin, stderr, signal } = this.context;
    await confirm(question, { stdin, stderr, signal, yes: this.yes });
  }

  async local(): Promise<LocalCommands> {
    return await this.context.loadLocal();
  }

  /** @throws UnderstudyError NAME_INVALID, USAGE. */
  async place(named?: string): Promise<ClusterPlace> {
    const { dir } = this.options;
    const name = this.#clusterName(named);
    if (this.isOnKubernetes)
      throw new UnderstudyError("USAGE", "that is for clusters on this machine", {
        hint: "On Kubernetes a cluster is a PostgresCluster object; see: understudy help kubernetes",
      });
    // Before anything is loaded or looked for: a wrong name is answered at once.
    if (name !== undefined) checkClusterName(name);
    const local = await this.local();
    const { env, uid } = this.context;
    return local.resolveClusterPlace({ name, dir, env, uid });
  }

  /**
   * @param named as an argument, in place of --name
   * @throws UnderstudyError USAGE, CLUSTER_NOT_FOUND, and for one on Kubernetes KUBECONFIG_*,
   * KUBERNETES_*.
   */
  async cluster(named?: string): Promise<{ local: LocalCommands; cluster: LocalCluster }> {
    if (this.isOnKubernetes) return this.#onKubernetes(named);
    const place = await this.place(named);
    const local = await this.local();
    return { local, cluster: await local.openCluster(place) };
  }

  async #onKubernetes(named?: string): Promise<{ local: LocalCommands; cluster: LocalCluster }> {
    const { openOnKubernetes } = await import("./kubernetes/open-cluster.ts");
    const { context, namespace } = this.options;
    const name = this.#clusterName(named);
    if (name !== undefined) checkClusterName(name);
    const local = await this.local();
    const note = (text: string) => this.note(text);
    return openOnKubernetes({ env: this.context.env, context, namespace, name, local, note });
  }

  /** What was typed counts before a variable that was set some time ago, maybe for another one. */
  #clusterName(named: string | undefined): string | undefined {
    const { name } = this.options;
    if (named !== undefined && this.#isNameTyped && name !== named)
      throw new UnderstudyError(
        "USAGE",
        `two clusters are named, ${named} and, behind --name, ${name}`,
        { hint: "Name the one that is meant; nothing was done." },
      );
    return named ?? name;
  }

  async status(named?: string): Promise<{
    local: LocalCommands;
    cluster: LocalCluster;
    status: ClusterStatus;
  }> {
    const opened = await this.cluster(named);
    const status = await opened.local.readClusterStatus(opened.cluster, this.context.signal);
    return { ...opened, status };
  }

  operation(options: { timeout: number; wait?: boolean }): Operation {
    return {
      signal: this.context.signal,
      timeoutMs: options.timeout,
      wait: options.wait !== false,
      onStep: (text) => this.step(text),
    };
  }
}

/** --json is short for -o json. */
export function formatOf(options: GlobalOptions): OutputFormat {
  return options.json === true ? "json" : (options.output ?? "table");
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ["1", "true", "yes", "on"].includes(value.toLowerCase());
}
