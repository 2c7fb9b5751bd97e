// How long `understudy up` takes for one primary and two standbys, beside a bare script of
// PostgreSQL's own programs, in turn in the same run: node bench/up.ts [--bin DIR] [--rounds 7]
// [--port 26431] [--dir /var/tmp]. Two floors: initdb, start, two copies, start (goal: at most 1.3
// times it); and the same with a role and a database for the application, which `up` makes too. It
// tells the processor time of each as well, and whose it was.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { chmod, chown, mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { testUser, type TestUser } from "../test/support/test-user.ts";
import { median } from "../src/local/drill/statistics.ts";
import { listPids, readCommandLine, readWorkingDirectory } from "../src/postgres/proc.ts";

const { values } = parseArgs({
  options: {
    bin: { type: "string", default: "/usr/lib/postgresql/15/bin" },
    rounds: { type: "string", default: "7" },
    port: { type: "string", default: "26431" },
    dir: { type: "string", default: "/var/tmp" },
  },
});
const LAUNCHER = fileURLToPath(new URL("../bin/understudy.js", import.meta.url));
const BARE = fileURLToPath(new URL("bare-cluster.sh", import.meta.url));

const SPENDERS = ["command", "agents", "deadmen", "servers"] as const;
type Spender = (typeof SPENDERS)[number];

/* oxlint-disable no-console -- a program that prints. */
await compare();

async function compare(): Promise<void> {
  const user = await testUser();
  const root = await mkdtemp(join(values.dir, "understudy-bench-"));
  await chmod(root, 0o755);
  const rounds: Round[] = [];
  try {
    await measureOurs(root, user); // Warms the compile cache and the disk's; not counted.
    for (let round = 1; round <= Number(values.rounds); round += 1) {
      const bare = await measureBare(root, { user, with: "" });
      const bareWithApp = await measureBare(root, { user, with: "app" });
      const ours = await measureOurs(root, user);
      rounds.push({ bare, bareWithApp, ours });
      console.log(`round ${round}: ${describe({ bare, bareWithApp, ours })}`);
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  const [ratio, withApp] = [toFloor, toFloorWithApp].map((of) => median(rounds.map(of)).toFixed(2));
  console.log(
    `median ratio: ${ratio} (goal: at most 1.3), with the application's database in the script too: ${withApp}`,
  );
  console.log(budget(rounds));
}

interface Round {
  readonly bare: Cost;
  readonly bareWithApp: Cost;
  readonly ours: Cost;
}

/** In seconds; of processor time by whose it was. */
interface Cost {
  readonly seconds: number;
  readonly processor: Readonly<Record<Spender, number>>;
}

function toFloor({ bare, ours }: Round): number {
  return ours.seconds / bare.seconds;
}

function toFloorWithApp({ bareWithApp, ours }: Round): number {
  return ours.seconds / bareWithApp.seconds;
}

function describe(round: Round): string {
  const { bare, bareWithApp, ours } = round;
  return (
    `bare script ${inSeconds(bare)}, with a database ${inSeconds(bareWithApp)}, ` +
    `understudy up ${inSeconds(ours)}, ratios ${toFloor(round).toFixed(2)} and ${toFloorWithApp(round).toFixed(2)}`
  );
}

function inSeconds({ seconds, processor }: Cost): string {
  return `${seconds.toFixed(2)} s (${totalOf(processor).toFixed(2)} s of processor)`;
}

function totalOf(processor: Cost["processor"]): number {
  return SPENDERS.reduce((sum, each) => sum + processor[each], 0);
}

/** Where the difference goes, by the middle of all rounds. */
function budget(rounds: readonly Round[]): string {
  const middle = (of: (round: Round) => Cost, who: Spender) =>
    median(rounds.map((round) => of(round).processor[who])).toFixed(2);
  const bare = SPENDERS.filter((who) => who === "command" || who === "servers").map(
    (who) => `${who} ${middle((round) => round.bare, who)}`,
  );
  const ours = SPENDERS.map((who) => `${who} ${middle((round) => round.ours, who)}`);
  return (
    "seconds of processor (command: with all that it waits for, initdb and copies of the script among them): " +
    `bare script ${bare.join(", ")}; understudy up ${ours.join(", ")}`
  );
}

async function measureBare(
  root: string,
  how: { user: TestUser | undefined; with: "" | "app" },
): Promise<Cost> {
  const { user } = how;
  const dir = await newDirectory(root, user);
  try {
    return measured(dir, () => run(user, [BARE, values.bin, dir, values.port, how.with]));
  } finally {
    for (const member of ["2", "3", "1"])
      spawnSync(join(values.bin, "pg_ctl"), ["-D", join(dir, member), "-m", "immediate", "stop"], {
        ...user,
        stdio: "ignore",
        cwd: "/",
      });
    await empty(dir);
  }
}

async function measureOurs(root: string, user: TestUser | undefined): Promise<Cost> {
  const dir = await newDirectory(root, user);
  const own = [process.execPath, LAUNCHER, "--dir", dir, "--name", "bench"];
  try {
    return measured(dir, () =>
      run(user, [...own, "up", "--port", values.port, "--pg-bin", values.bin, "--json"]),
    );
  } finally {
    run(user, [...own, "down"]);
    await empty(dir);
  }
}

async function newDirectory(root: string, user: TestUser | undefined): Promise<string> {
  const dir = await mkdtemp(join(root, "cluster-"));
  await chmod(dir, 0o700);
  if (user !== undefined) await chown(dir, user.uid, user.gid);
  return dir;
}

/**
 * Gives the disk's room back and leaves the files: nothing is deleted before the end. For minutes
 * ext4 passes over the inode of each deleted file, one by one, when it makes a new one; a cluster
 * is three thousand files, so each run would pay for the deletions of those before it (measured:
 * two seconds of processor time and more).
 */
async function empty(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) await truncate(join(entry.parentPath, entry.name), 0);
}

/** Both as the same user, so that neither has to change users. */
function run(user: TestUser | undefined, command: readonly string[]): void {
  const [program = "", ...args] = command;
  const { status, stderr } = spawnSync(program, args, {
    ...user,
    cwd: "/",
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      HOME: values.dir,
      XDG_CACHE_HOME: join(values.dir, "understudy-bench-cache"),
    },
  });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
}

function measured(dir: string, action: () => void): Cost {
  const before = endedChildrenSeconds();
  const begun = performance.now();
  action();
  const seconds = (performance.now() - begun) / 1000;
  const command = endedChildrenSeconds() - before;
  return { seconds, processor: { command, ...livingSeconds(dir) } };
}

/** Of what this process has waited for, and of all that those have: fields 16 and 17 (proc(5)). */
function endedChildrenSeconds(): number {
  return ticksOf("self", [13, 14]) / 100;
}

/** Of what works on that directory now, and of what has ended below it. */
function livingSeconds(dir: string): Record<Exclude<Spender, "command">, number> {
  const spent = { agents: 0, deadmen: 0, servers: 0 };
  for (const pid of listPids()) {
    const words = readCommandLine(pid);
    const place = readWorkingDirectory(pid);
    const path = place?.kind === "known" ? place.path : "";
    if (![path, ...words].some((word) => word.startsWith(`${dir}/`) || word === dir)) continue;
    const who = words.includes("agent") ? "agents" : words.includes("deadman") ? "deadmen" : null;
    spent[who ?? "servers"] += ticksOf(String(pid), [11, 12, 13, 14]) / 100;
  }
  return spent;
}

/** @param fields counted from the one after the name, the third of all. */
function ticksOf(process: string, fields: readonly number[]): number {
  try {
    const text = readFileSync(`/proc/${process}/stat`, "utf8");
    const all = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields.reduce((sum, field) => sum + Number(all[field]), 0);
  } catch {
    return 0; // it has just ended, and whoever waits for it has its time
  }
}
