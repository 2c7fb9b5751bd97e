// The agent as the first process of PostgreSQL's container: who is orphaned there is waited for, a
// crash of the server is survived, logs are JSON lines, and SIGTERM ends everything cleanly. Root
// alone: an ordinary user is root in the only containers that he can make, and PostgreSQL refuses
// that.
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import { listPids, readChildren, readLiveStat } from "../../src/postgres/proc.ts";
import { isAlive, signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor } from "../support/installations.ts";
import { takePortBlock } from "../support/port-block.ts";
import { testUser } from "../support/test-user.ts";
import { fillVolume } from "./carried-volume.ts";
import { emptyRoot, endContainer, link, runIn, startIn, type Container } from "./container.ts";

describe("the agent as a container's first process", () => {
  it("leaves no zombie when PostgreSQL crashes, and stops cleanly at SIGTERM", async (t) => {
    const scratch = await mkdtemp(join(tmpdir(), "understudy-first-"));
    t.after(() => rm(scratch, { recursive: true, force: true }));
    await chmod(scratch, 0o755);
    await using ports = await takePortBlock();
    const container = await postgresContainer(scratch);
    const cluster = ["--dir", "/cluster/c"];
    const { binDir } = await installationFor(15);
    const place = ["--pg-bin", binDir, "--port", String(ports.first)];
    const up = ["up", "--name", "t", "--standbys", "0", ...place];
    const made = await runIn(container, ["/opt/understudy/understudy", ...cluster, ...up]);
    assert.equal(made.status, 0, made.stdout + made.stderr);

    // That container's end was a crash of everything in it.
    const agent = ["/opt/understudy/agent", ...cluster, "--member", "t-1"];
    const shell = startIn(container, agent);
    const said: string[] = [];
    shell.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString("utf8")));
    let logged = "";
    shell.stdout?.on("data", (chunk: Buffer) => (logged += chunk.toString("utf8")));
    const ended = once(shell, "exit");
    t.after(() => endContainer(shell));
    const paths = memberPaths(join(scratch, "cluster/c"), "t-1");
    const seen = () => said.join("");
    const first = await eventually("the first process is tini", () => firstProcess(shell.pid), {
      seen,
    });
    const server = await eventually("PostgreSQL is up", () => runningServer(first), { seen });
    const all = [server, ...(readChildren(server) ?? [])];
    signal(server, "SIGKILL");
    // A zombie would still be there.
    await eventually("all of them are gone", () => {
      const there = listPids();
      return all.every((pid) => !there.includes(pid));
    });
    await eventually("PostgreSQL is up again", () => runningServer(first), { seen });
    await eventually("its logs tell of both", () =>
      [/"event":"agent-started"/, /"event":"postgresql".*is ready to accept/].every((each) =>
        each.test(logged),
      ),
    );
    signal(first, "SIGTERM");
    const [status] = await ended;
    assert.equal(status, 0, seen());
    assert.match((await readControlData(paths.data)).state, /^shut down/);
    assert.equal(isAlive(first), false);
    for (const line of logged.trim().split("\n")) assert.equal(JSON.parse(line).member, "t-1");
  });
});

/** A root with this machine's programs, read-only, and a volume for the cluster. */
async function postgresContainer(scratch: string): Promise<Container> {
  const user = await testUser();
  assert.ok(user !== undefined);
  const { uid, gid } = user;
  const root = await emptyRoot(join(scratch, "root"), ["usr", "cluster"]);
  for (const name of ["bin", "sbin", "lib", "lib64"]) await link(join(root, name), `usr/${name}`);
  await writeFile(join(root, "etc/passwd"), `postgres:x:${uid}:${gid}::/:/bin/sh\n`);
  await fillVolume(scratch, uid);
  const cluster = join(scratch, "cluster");
  await mkdir(cluster);
  await chown(cluster, uid, uid);
  const { binDir } = await installationFor(15);
  const installed = dirname(binDir);
  const elsewhere = installed.startsWith("/usr/") ? [] : [installed];
  for (const path of elsewhere) await mkdir(join(root, path), { recursive: true });
  return {
    root,
    uid,
    volumes: [
      { source: join(scratch, "volume"), target: "/opt/understudy" },
      { source: cluster, target: "/cluster", writable: true },
      ...["/usr", ...elsewhere].map((path) => ({ source: path, target: path })),
    ],
  };
}

/** As this machine numbers it. */
function firstProcess(outside: number | undefined): number | null {
  const [child = 0] = readChildren(outside ?? 0) ?? [];
  return readLiveStat(child)?.name === "tini" ? child : null;
}

/** @returns the postmaster, when it has the processes that a server in operation has. */
function runningServer(first: number): number | null {
  const isServer = (pid: number) => readLiveStat(pid)?.name === "postgres" && isIn(first, pid);
  const found = listPids().find((pid) => {
    const isFirst = isServer(pid) && !isServer(readLiveStat(pid)?.parent ?? 0);
    return isFirst && (readChildren(pid) ?? []).length > 4;
  });
  return found ?? null;
}

/** Whether both are in the same PID namespace. */
function isIn(first: number, pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync(`/proc/${first}/ns/pid`);
  } catch {
    return false; // one of them has just ended
  }
}
