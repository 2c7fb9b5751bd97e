// How long `understudy up` takes for one primary and two standbys, beside a bare script of
// PostgreSQL's own programs, in turn in the same run: node bench/up.ts [--bin DIR] [--rounds 7]
// [--port 26431] [--dir /var/tmp]. Two floors: initdb, start, two copies, start (goal: at most 1.3
// times it); and the same with a role and a database for the application, which `up` makes too.
import { spawnSync } from "node:child_process";
import { chmod, chown, mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { testUser, type TestUser } from "../test/support/test-user.ts";
import { median } from "../src/local/drill/statistics.ts";

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
  const middle = (of: (round: Round) => number) => median(rounds.map(of));
  const ratios = [middle(({ bare, ours }) => ours / bare), middle(toFloorWithApp)];
  const [toFloor = NaN, toBoth = NaN] = ratios;
  console.log(
    `median ratio: ${toFloor.toFixed(2)} (goal: at most 1.3), with the application's database in the script too: ${toBoth.toFixed(2)}`,
  );
}

/** Seconds. */
interface Round {
  readonly bare: number;
  readonly bareWithApp: number;
  readonly ours: number;
}

function toFloorWithApp({ bareWithApp, ours }: Round): number {
  return ours / bareWithApp;
}

function describe({ bare, bareWithApp, ours }: Round): string {
  return (
    `bare script ${bare.toFixed(2)} s, with a database ${bareWithApp.toFixed(2)} s, ` +
    `understudy up ${ours.toFixed(2)} s, ratios ${(ours / bare).toFixed(2)} and ${(ours / bareWithApp).toFixed(2)}`
  );
}

async function measureBare(
  root: string,
  how: { user: TestUser | undefined; with: "" | "app" },
): Promise<number> {
  const { user } = how;
  const dir = await newDirectory(root, user);
  try {
    return timed(() => run(user, [BARE, values.bin, dir, values.port, how.with]));
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

async function measureOurs(root: string, user: TestUser | undefined): Promise<number> {
  const dir = await newDirectory(root, user);
  const own = [process.execPath, LAUNCHER, "--dir", dir, "--name", "bench"];
  try {
    return timed(() =>
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

function timed(action: () => void): number {
  const begun = performance.now();
  action();
  return (performance.now() - begun) / 1000;
}
