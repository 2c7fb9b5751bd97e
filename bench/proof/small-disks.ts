// Gives each member of a cluster a small disk of its own, so that one can be full while the others
// have room. Mounts; so the program runs itself again in a mount namespace that nobody else sees,
// and must be root.
import { spawnSync } from "node:child_process";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { readRecord } from "../../src/local/cluster.ts";
import { connectTo } from "../../src/local/drill/app-client.ts";
import type { Fault, Target } from "../../src/local/drill/fault.ts";
import { hostsOf } from "../../src/local/drill/load.ts";
import type { TestCluster } from "../../test/support/local-cluster.ts";
import { fillDisk } from "../../test/support/small-disk.ts";

const MEGABYTES = 700;
const WRITE_LIMIT_MS = 20_000;
const INSIDE = "UNDERSTUDY_BENCH_IN_NAMESPACE";

/** False where this program is to end: another one, of the same arguments, has run in its place. */
export function enterNamespace(): boolean {
  if (process.env[INSIDE] !== undefined) return true;
  if (process.getuid?.() !== 0) throw new Error("small disks are mounted, which needs root");
  const { status } = spawnSync(
    "unshare",
    [
      "--mount",
      "--propagation",
      "private",
      process.execPath,
      ...process.execArgv,
      ...process.argv.slice(1),
    ],
    { stdio: "inherit", env: { ...process.env, [INSIDE]: "1" } },
  );
  process.exitCode = status ?? 1;
  return false;
}

/** Of a cluster that is up; it is down for a moment. Undone before the cluster is deleted. */
export async function giveSmallDisks(cluster: TestCluster): Promise<AsyncDisposable> {
  const members = (await cluster.status()).members.map(({ name }) => name);
  await cluster.ok(["down"]);
  const mounts: string[] = [];
  for (const member of members) {
    const { root } = cluster.paths(member);
    const { uid, gid } = await stat(root);
    await rename(root, `${root}.large`);
    await mkdir(root, { mode: 0o700 });
    run("mount", [
      "-t",
      "tmpfs",
      "-o",
      `size=${MEGABYTES}m,mode=0700,uid=${uid},gid=${gid}`,
      "tmpfs",
      root,
    ]);
    mounts.push(root);
    run("cp", ["-a", `${root}.large/.`, root]);
    await rm(`${root}.large`, { recursive: true });
  }
  await cluster.ok(["up"]);
  await cluster.untilHealthy();
  return {
    [Symbol.asyncDispose]: async () => {
      await cluster.run(["down"]);
      for (const root of mounts) run("umount", ["-l", root]);
    },
  };
}

/**
 * Somebody else's file takes all the room there is beside this member's data, for so long; and what
 * is written goes on until PostgreSQL ends for it: before that statements fail, which is no reason
 * to fail over.
 */
export function diskFull(lastsMs: number): Fault {
  return {
    noun: "the room",
    describe: (member) => `the disk of ${member} is full for ${lastsMs / 1_000} s`,
    describeUndo: (member) => `the disk of ${member} has room again`,
    lastsMs,
    comesBackAfter: "undoing",
    inflict: async ({ cluster, member }, undoing) => {
      const ballast = join(memberPaths(cluster.paths.root, member).root, "ballast");
      undoing.defer(() => rm(ballast, { force: true }));
      await fillAndWrite({ cluster, member }, ballast);
    },
  };
}

/**
 * Messages in its WAL alone, so that the next segment is what finds no room. Connected before: a
 * server whose disk is full may let nobody in any more, and goes on.
 */
async function fillAndWrite(
  { cluster, member }: Pick<Target, "cluster" | "member">,
  ballast: string,
): Promise<void> {
  const { members } = await readRecord(cluster);
  const host = hostsOf(members).find((each) => each.member === member);
  if (host === undefined) throw new Error(`the record has no member ${member}`);
  const login = { password: cluster.secrets.application, limitMs: WRITE_LIMIT_MS };
  using connection = await connectTo(host, login);
  const ended = new AbortController();
  connection.client.once("end", () => ended.abort());
  fillDisk(ballast);
  const deadline = performance.now() + WRITE_LIMIT_MS;
  while (!ended.signal.aborted && performance.now() < deadline)
    await connection.client
      .query("SELECT pg_logical_emit_message(true, 'fill', repeat('x', 1000000))")
      .catch(() => delay(20));
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}
