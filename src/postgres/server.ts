// One PostgreSQL server: starting, stopping, reloading and promoting it, and noticing its end. It
// is started in a session of its own, so that it outlives the agent; an agent that comes back finds
// it by its postmaster.pid.
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { open, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../core/errors.ts";
import { FileWatch } from "./file-watch.ts";
import { readPostmasterPid, type PostmasterStatus } from "./postmaster-pid.ts";
import type { Installation } from "./installation.ts";
import {
  findServerProcesses,
  identityOf,
  isAlive,
  isServerProcess,
  killServer,
  serverProcess,
  signalPostmaster,
  type ProcessIdentity,
} from "./processes.ts";
import { readOomScore, setOomScore } from "./oom-score.ts";
import { isStopped, type ProcessStat } from "./proc.ts";
import { serverEnvironment } from "./server-environment.ts";
import { isPromotionNoted, notePromotion } from "./promotion-note.ts";
import { removeStalePidFile } from "./stale-pid-file.ts";

export interface ServerOptions {
  readonly installation: Installation;
  readonly dataDir: string;
  /** postgresql.conf, outside of the data directory. */
  readonly configFile: string;
  readonly logDir: string;
  /** See oom-score.ts. Default: this process's own. */
  readonly backendOomScore?: number;
  /** Done before each start, when no process is left on the data. */
  readonly prepare?: (signal: AbortSignal) => Promise<void>;
  /** Called when the postmaster that was running is found to be gone. */
  readonly onExit: () => void;
}

export type ServerState =
  | { readonly kind: "stopped" }
  /**
   * Processes of a dead postmaster still live: they may commit and acknowledge (postgres-facts,
   * "killing the whole server").
   */
  | { readonly kind: "orphaned"; readonly processes: number }
  /**
   * "closed": up, in recovery, and taking no connections (hot_standby is off). "held": its
   * postmaster was stopped by a signal a while ago, so that nobody new can connect, nothing is
   * forked and no request is heard.
   */
  | {
      readonly kind: "starting" | "accepting" | "closed" | "stopping" | "held";
      readonly pid: number;
    };

const POLL_MS = 3;
/** How late a server that has come up is seen at the latest, where the system does not tell. */
const LOOK_MS = 20;
/** Recovery may go on for hours; whoever started it has other things to do. */
const START_WAIT_MS = 30_000;
const REQUEST_AGAIN_MS = 200;
const LOG_TAIL_BYTES = 16_384;
/**
 * Orphans need a postmaster that has died, and one that lives is seen by its file; so where nothing
 * was left, nothing is for this long.
 */
const NOTHING_LEFT_MS = 1_000;
const HELD_AFTER_MS = 1_000;
/** Its deadman's may be lower yet. */
const POSTMASTER_OOM_SCORE = -900;

export class PostgresServer {
  readonly #options: ServerOptions;
  /** The postmaster that this process started, until its exit is reported. */
  #childPid: number | null = null;
  /** The last postmaster that was seen; it is looked for also where its directory is gone. */
  #postmaster: ProcessIdentity | null = null;
  /** The one that was last asked to become the primary. */
  #asked: ProcessIdentity | null = null;
  /** When the process table was last walked and had nothing of this server. */
  #nothingLeftMs = -Infinity;
  /** Since when the postmaster is seen stopped by a signal. */
  #stoppedSinceMs: number | null = null;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  get dataDir(): string {
    return this.#options.dataDir;
  }

  /** From postmaster.pid and the process table; asks PostgreSQL nothing. */
  async state(): Promise<ServerState> {
    const { dataDir } = this.#options;
    const file = await readPostmasterPid(dataDir);
    const postmaster = file === null ? null : serverProcess({ pid: file.pid, dataDir });
    if (file !== null && postmaster !== null) {
      const { pid } = postmaster;
      if (this.#postmaster?.startTicks !== postmaster.startTicks)
        this.#postmaster = identityOf(pid);
      return this.#alive({ kind: this.#isHeld(postmaster) ? "held" : stateWord(file.status), pid });
    }
    // Its end may be seen here before it is reported.
    const child = this.#childPid;
    if (child !== null && isServerProcess({ pid: child, dataDir }))
      return this.#alive({ kind: "starting", pid: child });
    if (performance.now() - this.#nothingLeftMs < NOTHING_LEFT_MS) return { kind: "stopped" };
    return this.#lookForOrphans();
  }

  /** Whoever kills a server whole stops its postmaster too, for milliseconds. */
  #isHeld(postmaster: ProcessStat): boolean {
    if (!isStopped(postmaster)) {
      this.#stoppedSinceMs = null;
      return false;
    }
    this.#stoppedSinceMs ??= performance.now();
    return performance.now() - this.#stoppedSinceMs >= HELD_AFTER_MS;
  }

  #alive(state: ServerState): ServerState {
    this.#nothingLeftMs = -Infinity;
    return state;
  }

  /** Walks the whole process table, which costs milliseconds. */
  #lookForOrphans(): ServerState {
    const processes = findServerProcesses(this.#options.dataDir);
    if (processes.length === 0 && this.#hasStray())
      return this.#alive({ kind: "orphaned", processes: 1 });
    if (processes.length > 0) return this.#alive({ kind: "orphaned", processes: processes.length });
    this.#nothingLeftMs = performance.now();
    return { kind: "stopped" };
  }

  /**
   * Its data directory was moved away or deleted: the server goes on by the files that it has open.
   */
  #hasStray(): boolean {
    return this.#postmaster !== null && isAlive(this.#postmaster);
  }

  /**
   * Starts it and waits until it lives ("running") or takes connections ("accepting"), for as long
   * as it lives: recovery is never cut short (lesson 53). On abort the wait ends, the server goes
   * on.
   * @throws UnderstudyError START_FAILED with what its log says.
   */
  async start(options: {
    until: "running" | "accepting";
    /** Settings for this run alone. */
    arguments?: readonly string[];
    signal: AbortSignal;
  }): Promise<void> {
    await this.killOrphans(options.signal);
    await removeStalePidFile(this.#options.dataDir);
    await this.#options.prepare?.(options.signal);
    using watch = new FileWatch(join(this.#options.dataDir, "postmaster.pid"), { pollMs: LOOK_MS });
    const exited = this.#spawn(options.arguments ?? []);
    const deadline = performance.now() + START_WAIT_MS;
    while (performance.now() < deadline) {
      options.signal.throwIfAborted();
      const file = await readPostmasterPid(this.#options.dataDir);
      const mine = file !== null && file.pid === this.#childPid ? file.status : null;
      if (mine === "ready" || (mine !== null && options.until === "running")) return;
      const ended = await Promise.race([exited, watch.changed()]);
      if (ended !== null) throw await this.#startError(ended);
    }
  }

  /**
   * Ends what a dead postmaster has left behind, before anything else may open the directory.
   * @returns how many processes were killed.
   */
  async killOrphans(signal: AbortSignal): Promise<number> {
    // Whatever was seen a moment ago: two servers on one directory would destroy it.
    this.#nothingLeftMs = -Infinity;
    const state = await this.state();
    if (state.kind !== "orphaned") return 0;
    await this.kill(signal);
    return state.processes;
  }

  /** Asks for a shutdown: "fast" writes a checkpoint, "immediate" does not. Returns at once. */
  async requestStop(mode: "fast" | "immediate"): Promise<void> {
    const signal = mode === "fast" ? "SIGINT" : "SIGQUIT";
    signalPostmaster({ dataDir: this.#options.dataDir, signal });
  }

  /**
   * @throws UnderstudyError STOP_FAILED when processes are left at the limit; they are not killed.
   */
  async stop(options: {
    mode: "fast" | "immediate";
    timeoutMs: number;
    signal: AbortSignal;
  }): Promise<void> {
    const deadline = performance.now() + options.timeoutMs;
    let requestedMs = -Infinity;
    while ((await this.state()).kind !== "stopped") {
      options.signal.throwIfAborted();
      // A request that comes before a new server has its postmaster.pid is lost; a second one does
      // no harm.
      if (performance.now() - requestedMs > REQUEST_AGAIN_MS) {
        await this.requestStop(options.mode);
        requestedMs = performance.now();
      }
      if (performance.now() > deadline)
        throw new UnderstudyError(
          "STOP_FAILED",
          `PostgreSQL in ${this.#options.dataDir} did not stop within ${options.timeoutMs / 1000} s of a ${options.mode} shutdown`,
        );
      await delay(POLL_MS);
    }
  }

  /** Kills every process of it, at once and completely. */
  async kill(signal: AbortSignal): Promise<void> {
    const stray = this.#postmaster === null ? {} : { postmaster: this.#postmaster };
    await killServer({ dataDir: this.#options.dataDir, ...stray, timeoutMs: 10_000, signal });
  }

  /** Makes it read its settings again. */
  async reload(): Promise<void> {
    signalPostmaster({ dataDir: this.#options.dataDir, signal: "SIGHUP" });
  }

  /**
   * The request that `pg_ctl promote` makes on all majors; returns at once. It is noted before it
   * is made.
   * @param mayStill asked between the note and the request: false, and nothing is requested
   */
  async requestPromotion(mayStill: () => boolean = () => true): Promise<void> {
    const { dataDir } = this.#options;
    const postmaster = await this.#identity();
    this.#asked = postmaster;
    // Where the disk is full this agent knows it all the same, and a promotion comes to nothing.
    if (postmaster !== null) await notePromotion(dataDir, postmaster).catch(() => {});
    if (!mayStill()) return;
    await writeFile(join(dataDir, "promote"), "", { mode: 0o600 });
    if (signalPostmaster({ dataDir, signal: "SIGUSR1" }) === null)
      throw new UnderstudyError("PROMOTE_FAILED", "cannot promote: PostgreSQL is not running");
  }

  /** Whether the postmaster that lives now was: it may be the primary at any moment. */
  async wasAskedToPromote(): Promise<boolean> {
    const postmaster = await this.#identity();
    if (postmaster === null) return false;
    const asked = this.#asked;
    if (asked?.pid === postmaster.pid && asked.startTicks === postmaster.startTicks) return true;
    return isPromotionNoted(this.#options.dataDir, postmaster);
  }

  async #identity(): Promise<ProcessIdentity | null> {
    const state = await this.state();
    return "pid" in state ? identityOf(state.pid) : null;
  }

  #spawn(extra: readonly string[]): Promise<number | string> {
    const { installation, dataDir, configFile, logDir } = this.#options;
    const backendOomScore = this.#options.backendOomScore ?? readOomScore() ?? 0;
    const log = openSync(join(logDir, "start.log"), "w", 0o600);
    try {
      const child = spawn(
        join(installation.binDir, "postgres"),
        ["-D", dataDir, "-c", `config_file=${configFile}`, ...extra],
        {
          detached: true,
          stdio: ["ignore", log, log],
          env: { ...serverEnvironment(process.env), ...oomEnvironment(backendOomScore) },
          cwd: dataDir,
        },
      );
      child.unref();
      // Before it has children. With it all of them would end, and be recovered from.
      if (child.pid !== undefined)
        setOomScore(child.pid, [POSTMASTER_OOM_SCORE, Math.min(0, backendOomScore)]);
      this.#childPid = child.pid ?? null;
      this.#nothingLeftMs = -Infinity;
      return new Promise((resolve) => {
        child.once("error", (error) => resolve(error.message));
        child.once("exit", (status, killedBy) => {
          this.#childPid = null;
          resolve(killedBy ?? status ?? "unknown");
          this.#options.onExit();
        });
      });
    } finally {
      closeSync(log);
    }
  }

  async #startError(ended: number | string): Promise<UnderstudyError> {
    const said = await this.lastComplaint();
    return new UnderstudyError(
      "START_FAILED",
      `PostgreSQL in ${this.#options.dataDir} did not start (ended with ${ended}): ${said ?? "it said nothing"}`,
    );
  }

  /**
   * The last FATAL or PANIC of its logs, with the line that follows where it explains it.
   * @param options.withinMs only of logs that were written to so recently.
   */
  async lastComplaint(options: { withinMs?: number } = {}): Promise<string | null> {
    const { logDir } = this.#options;
    const files = (await readdir(logDir).catch(() => [])).filter((name) =>
      name.startsWith("postgresql"),
    );
    const texts = await Promise.all(
      ["start.log", ...files].map(async (name) => tailOf(join(logDir, name))),
    );
    const newest = texts.toSorted((one, other) => other.modifiedMs - one.modifiedMs);
    const oldest = options.withinMs === undefined ? 0 : Date.now() - options.withinMs;
    for (const { text, modifiedMs } of newest) {
      if (modifiedMs < oldest) break;
      const lines = text.split("\n");
      const last = lines.findLastIndex((line) => /\b(FATAL|PANIC):/.test(line));
      if (last >= 0) return complaintAt(lines, last);
    }
    return null;
  }
}

/** The manual, "Linux Memory Overcommit": a backend is ended rather than the postmaster. */
function oomEnvironment(backendOomScore: number): NodeJS.ProcessEnv {
  return {
    PG_OOM_ADJUST_FILE: "/proc/self/oom_score_adj",
    PG_OOM_ADJUST_VALUE: String(backendOomScore),
  };
}

function complaintAt(lines: readonly string[], index: number): string {
  const complaint = (lines[index] ?? "").replace(/^.*?\b(FATAL|PANIC):\s*/, "");
  const next = lines[index + 1] ?? "";
  const explanation = /\b(DETAIL|HINT):\s*(.*)$/.exec(next)?.[2];
  return explanation === undefined ? complaint : `${complaint} (${explanation})`;
}

/** postmaster.pid, line 8 (src/include/utils/pidfile.h of PostgreSQL). */
function stateWord(
  status: PostmasterStatus | null,
): "starting" | "accepting" | "closed" | "stopping" {
  if (status === "ready") return "accepting";
  if (status === "standby") return "closed";
  return status === "stopping" ? "stopping" : "starting";
}

async function tailOf(path: string): Promise<{ text: string; modifiedMs: number }> {
  try {
    await using file = await open(path, "r");
    const { size, mtimeMs } = await file.stat();
    const start = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(size - start),
      0,
      size - start,
      start,
    );
    return { text: buffer.toString("utf8", 0, bytesRead), modifiedMs: mtimeMs };
  } catch {
    return { text: "", modifiedMs: 0 };
  }
}
