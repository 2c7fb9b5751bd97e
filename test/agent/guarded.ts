// A server with a real deadman and its guard, and a process in the place of the agent. For the
// deadman's tests.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { DISMISS, endDeadmen, findDeadmen } from "../../src/agent/deadman/deadmen.ts";
import { nowMs } from "../../src/agent/deadman/policy.ts";
import { readJournal, type Entry } from "../../src/agent/journal.ts";
import type { Major } from "../../src/core/spec.ts";
import { findServerProcesses } from "../../src/postgres/processes.ts";
import { BareServer } from "../support/bare-server.ts";
import { isAlive, signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor } from "../support/installations.ts";
import { testDirectory, testUser } from "../support/test-user.ts";
import type { ParentSetup } from "./deadman-parent-child.ts";

const PARENT = fileURLToPath(new URL("./deadman-parent-child.ts", import.meta.url));
export const TTL_MS = 2_000;

type Given = Partial<Omit<ParentSetup, "data" | "directory">> & { env?: Record<string, string> };

/** A server, and a process in the place of its agent. */
export class Guarded implements AsyncDisposable {
  readonly server: BareServer;
  readonly postmaster: number;
  readonly directory: string;
  readonly #children: ChildProcess[] = [];

  private constructor(of: { server: BareServer; postmaster: number; directory: string }) {
    this.server = of.server;
    this.postmaster = of.postmaster;
    this.directory = of.directory;
  }

  static async start(given: Given = {}, major: Major = 15): Promise<Guarded> {
    const directory = await testDirectory(await testUser());
    const server = await BareServer.make({ installation: await installationFor(major) });
    const guarded = new Guarded({ server, postmaster: await server.start(), directory });
    await guarded.startParent(given);
    return guarded;
  }

  /** Returns when its deadman watches and no other does. */
  async startParent({ env = {}, ...given }: Given = {}): Promise<number> {
    const setup: ParentSetup = {
      policy: "own-liveness",
      ttlMs: TTL_MS,
      holdsLease: true,
      successor: "none",
      ...given,
      data: this.server.dataDir,
      directory: this.directory,
    };
    const child = spawn(process.execPath, [PARENT, JSON.stringify(setup)], {
      stdio: ["ignore", "inherit", "inherit"],
      cwd: "/",
      env: { ...process.env, ...env },
      ...(await testUser()),
    });
    this.#children.push(child);
    const pid = child.pid ?? 0;
    await this.untilWatchedBy(pid);
    return pid;
  }

  async untilWatchedBy(parent: number): Promise<void> {
    await eventually("a deadman of this parent alone watches", async () => {
      const [first, ...more] = this.deadmen();
      if (first === undefined || more.length > 0 || parentOf(first) !== parent) return false;
      const log = await readJournal(`${this.directory}/agent.log`);
      return log.some(
        ({ event, details }) => event === "deadman-started" && details?.["pid"] === first,
      );
    });
  }

  deadmen(): number[] {
    return findDeadmen(this.server.dataDir).map(({ pid }) => pid);
  }

  get deadman(): number {
    const [pid] = this.deadmen();
    assert.ok(pid !== undefined, "a deadman runs");
    return pid;
  }

  /** Of the parents so far, the newest. */
  get parent(): number {
    return this.parents.at(-1) ?? 0;
  }

  get parents(): number[] {
    const text = readFileSync(`${this.directory}/parents`, "utf8");
    return text.trim().split("\n").map(Number);
  }

  /** When it was last told to wait for another lease. */
  get heardMs(): number {
    const lines = readFileSync(`${this.directory}/heard`, "utf8").split("\n");
    return Number(lines.at(-2));
  }

  isServed(): boolean {
    return isAlive(this.postmaster);
  }

  /** @returns when that was, on the clock of all processes. */
  async untilKilled(): Promise<number> {
    await eventually(
      "PostgreSQL is killed",
      () => findServerProcesses(this.server.dataDir).length === 0,
    );
    return now();
  }

  async events(name: string): Promise<Entry[]> {
    const all = await readJournal(`${this.directory}/events.jsonl`);
    return all.filter(({ event }) => event === name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.deadmen()) signal(pid, "SIGCONT");
    for (const pid of this.parents) if (isParent(pid)) signal(pid, "SIGKILL");
    await endDeadmen({ dataDir: this.server.dataDir, signal: DISMISS });
    for (const pid of this.parents) if (isParent(pid)) signal(pid, "SIGKILL");
    await this.server[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A number may be somebody else's by now. */
function isParent(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(PARENT);
  } catch {
    return false;
  }
}

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

export function now(): number {
  return nowMs("own-liveness");
}
