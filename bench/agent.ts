// What an idle agent costs: resident memory and processor time, each agent and each deadman of a
// cluster of one primary and two standbys that nobody uses: node bench/agent.ts [--bin DIR]
// [--seconds 60] [--port 26431] [--dir /var/tmp] Goals: at most 90 MB resident and 0.5 % of a core.
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
const KINDS = ["agent", "deadman"] as const;

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
  const watched = await processesOf(dir);
  for (const kind of KINDS) {
    const found = watched.filter((each) => each.kind === kind).length;
    if (found !== 3) throw new Error(`there are ${found} processes "${kind}", not 3`);
  }
  const seconds = Number(values.seconds);
  const before = await Promise.all(watched.map(({ pid }) => processorSeconds(pid)));
  await delay(seconds * 1000);
  const after = await Promise.all(watched.map(({ pid }) => processorSeconds(pid)));
  const costs: Cost[] = [];
  for (const [at, { member, kind, pid }] of watched.entries()) {
    const share = (((after[at] ?? 0) - (before[at] ?? 0)) / seconds) * 100;
    costs.push({ member, kind, share, ...(await memoryOf(pid)) });
  }
  for (const cost of costs) console.log(`${cost.member}: ${cost.kind} ${describe(cost)}`);
  const dearest = Math.max(
    ...costs
      .filter(({ kind }) => kind === "agent")
      .map(({ member, share }) => share + (deadmanOf(member, costs)?.share ?? NaN)),
  );
  console.log(
    `an agent and its deadman together: at most ${dearest.toFixed(2)} % of a core over ${seconds} s`,
  );
  console.log("goals: 90 MB resident, 0.50 %");
}

interface Watched {
  readonly member: string;
  readonly kind: (typeof KINDS)[number];
  readonly pid: number;
}

/** In bytes, and percent of a core. */
interface Cost {
  readonly member: string;
  readonly kind: string;
  readonly share: number;
  readonly resident: number;
  /** Its share of what it has in common with other processes, counted proportionally. */
  readonly proportional: number;
}

function deadmanOf(member: string, costs: readonly Cost[]): Cost | undefined {
  return costs.find((cost) => cost.kind === "deadman" && cost.member === member);
}

function describe({ resident, proportional, share }: Cost): string {
  const megabytes = [resident, proportional].map((bytes) => (bytes / 1e6).toFixed(1));
  return `${megabytes[0]} MB resident (${megabytes[1]} MB proportional), ${share.toFixed(2)} % of a core`;
}

/** Both carry a directory of the cluster among their arguments, and the member's name. */
async function processesOf(dir: string): Promise<Watched[]> {
  const found: Watched[] = [];
  for (const name of await readdir("/proc")) {
    const text = /^\d+$/.test(name)
      ? await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")
      : "";
    const words = text.split("\0");
    const kind = KINDS.find((each) => words.includes(each));
    const member = words[words.indexOf("--member") + 1];
    const isOurs = words.some((word) => word === dir || word.startsWith(`${dir}/`));
    if (kind !== undefined && member !== undefined && isOurs)
      found.push({ member, kind, pid: Number(name) });
  }
  return found.toSorted((one, other) => one.member.localeCompare(other.member));
}

/**
 * User and system time: fields 14 and 15 of /proc/PID/stat, in hundredths of a second (proc(5)).
 */
async function processorSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function memoryOf(pid: number): Promise<{ resident: number; proportional: number }> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const bytes = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? NaN) * 1024;
  return { resident: bytes("Rss"), proportional: bytes("Pss") };
}
