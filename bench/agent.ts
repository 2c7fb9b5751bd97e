// What an idle agent costs: resident memory and processor time, each agent of a cluster of one
// primary and two standbys that nobody uses: node bench/agent.ts [--bin DIR] [--seconds 60] [--port
// 26431] [--dir /var/tmp] Goals: at most 90 MB resident and 0.5 % of a core.
import { spawnSync } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { testUser } from "../test/support/test-user.ts";

const { values } = parseArgs({
  options: {
    bin: { type: "string", default: "/usr/lib/postgresql/15/bin" },
    seconds: { type: "string", default: "60" },
    port: { type: "string", default: "26431" },
    dir: { type: "string", default: "/var/tmp" },
  },
});
const LAUNCHER = fileURLToPath(new URL("../bin/understudy.js", import.meta.url));
const SETTLE_MS = 15_000;

/* oxlint-disable no-console -- a program that prints. */
await measure();

async function measure(): Promise<void> {
  const user = await testUser();
  const root = await mkdtemp(join(values.dir, "understudy-bench-"));
  await chmod(root, 0o755);
  const dir = join(root, "cluster");
  await mkdir(dir, { mode: 0o700 });
  if (user !== undefined) await chown(dir, user.uid, user.gid);
  const command = (...args: string[]) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [LAUNCHER, "--dir", dir, "--name", "bench", ...args],
      {
        ...user,
        cwd: "/",
        encoding: "utf8",
        env: { ...process.env, XDG_CACHE_HOME: join(values.dir, "understudy-bench-cache") },
      },
    );
    if (status !== 0) throw new Error(`${args[0]} ended with ${status}: ${stderr}`);
  };
  try {
    // Twice: the first start fills the compile cache, as npm ci does for a checkout.
    command("up", "--port", values.port, "--pg-bin", values.bin);
    command("down");
    command("up");
    await delay(SETTLE_MS);
    await report(dir);
  } finally {
    command("down", "--delete", "--yes");
    await rm(root, { recursive: true, force: true });
  }
}

async function report(dir: string): Promise<void> {
  const pids = await agentsOf(dir);
  if (pids.length !== 3) throw new Error(`there are ${pids.length} agents, not 3`);
  const seconds = Number(values.seconds);
  const before = await Promise.all(pids.map(processorSeconds));
  await delay(seconds * 1000);
  const after = await Promise.all(pids.map(processorSeconds));
  for (const [index, pid] of pids.entries()) {
    const share = (((after[index] ?? 0) - (before[index] ?? 0)) / seconds) * 100;
    const resident = await residentBytes(pid);
    console.log(
      `agent ${index + 1}: ${(resident / 1e6).toFixed(1)} MB resident, ${share.toFixed(2)} % of a core over ${seconds} s`,
    );
  }
  console.log("goals: 90 MB, 0.50 %");
}

/** Agents carry their cluster's directory among their arguments. */
async function agentsOf(dir: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    const text = /^\d+$/.test(name)
      ? await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")
      : "";
    const words = text.split("\0");
    if (words.includes("agent") && words.includes(dir)) found.push(Number(name));
  }
  return found;
}

/**
 * User and system time: fields 14 and 15 of /proc/PID/stat, in hundredths of a second (proc(5)).
 */
async function processorSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function residentBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1] ?? 0) * 1024;
}
