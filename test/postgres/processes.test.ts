// Finding and killing the processes of real servers: whole, orphans included, and nothing else.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  findPostmaster,
  findServerProcesses,
  identityOf,
  isAlive,
  isServerProcess,
  killServer,
  signalPostmaster,
  surveyServer,
  untilStandsStill,
} from "../../src/postgres/processes.ts";
import { BareServer } from "../support/bare-server.ts";
import { installationFor, testMajors } from "../support/installations.ts";

const LIMITS = { timeoutMs: 30_000 };

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `waited in vain for ${condition.toString()}`);
    await delay(5);
  }
}

for (const major of testMajors())
  test(`PostgreSQL ${major}: a backend that outlives its postmaster is found and killed`, async () => {
    await using server = await BareServer.make({ installation: await installationFor(major) });
    const postmaster = await server.start();
    const client = await server.client();
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const backend = rows[0]?.pid ?? 0;
    const looping = client
      .query("DO $$ BEGIN FOR i IN 1..2000000000 LOOP END LOOP; END $$")
      .catch(() => {});
    const whole = surveyServer(server.dataDir);
    assert.equal(whole.postmaster?.pid, postmaster);
    assert.ok(whole.processes.some((found) => found.pid === backend));
    assert.ok(whole.processes.length >= 6);

    process.kill(postmaster, "SIGKILL");
    await until(() => findServerProcesses(server.dataDir).length === 1);
    const orphaned = surveyServer(server.dataDir);
    assert.equal(orphaned.postmaster, null);
    assert.deepEqual(
      orphaned.processes.map((found) => found.pid),
      [backend],
    );
    assert.equal(findPostmaster(server.dataDir), null);
    assert.equal((await killServer({ dataDir: server.dataDir, ...LIMITS })).killed, 1);
    assert.deepEqual(findServerProcesses(server.dataDir), []);
    await looping;
  });

test("a server with 100 busy and idle clients is killed whole, and its neighbour lives on", async (t) => {
  const installation = await installationFor(15);
  const settings = { max_connections: "120" };
  await using server = await BareServer.make({ installation, settings });
  await using neighbour = await BareServer.make({ installation });
  const neighbourPid = await neighbour.start();
  await server.start();
  const clients = await Promise.all(Array.from({ length: 100 }, () => server.client()));
  const busy = clients
    .slice(0, 10)
    .map((client) =>
      client.query("DO $$ BEGIN FOR i IN 1..2000000000 LOOP END LOOP; END $$").catch(() => {}),
    );
  assert.ok(findServerProcesses(server.dataDir).length >= 105);
  const { killed, ms } = await killServer({ dataDir: server.dataDir, ...LIMITS });
  t.diagnostic(`${killed} processes in ${ms.toFixed(0)} ms`);
  assert.ok(killed >= 105);
  assert.deepEqual(findServerProcesses(server.dataDir), []);
  assert.equal(findPostmaster(neighbour.dataDir)?.pid, neighbourPid);
  assert.equal(await neighbour.value("SELECT 1"), 1);
  await Promise.all(busy);
});

test("a kill in the middle of a storm of new connections leaves nobody behind", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  for (let round = 0; round < 5; round++) {
    await server.start();
    const over = new AbortController();
    const storm = Array.from({ length: 8 }, async () => {
      while (!over.signal.aborted)
        await server.client().then(
          (client) => client.end().catch(() => {}),
          () => delay(1),
        );
    });
    await until(() => findServerProcesses(server.dataDir).length > 9);
    await killServer({ dataDir: server.dataDir, ...LIMITS });
    assert.deepEqual(findServerProcesses(server.dataDir), []);
    over.abort();
    await Promise.all(storm);
  }
});

async function bystander(cwd: string): Promise<ChildProcess> {
  const child = spawn("sleep", ["300"], { cwd, stdio: "ignore" });
  await once(child, "spawn");
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

test("another program in the data directory, or with the number of a dead postmaster, is left alone", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  const shell = await bystander(server.dataDir);
  await server.start();
  const file = await readFile(join(server.dataDir, "postmaster.pid"), "utf8");
  assert.ok(findServerProcesses(server.dataDir).every((found) => found.pid !== shell.pid));
  await server.kill();
  // As after a reboot: the file is left over, and its number is somebody else's.
  await server.write("postmaster.pid", file.replace(/^\d+/, String(shell.pid)));
  assert.equal(findPostmaster(server.dataDir), null);
  assert.equal(isServerProcess({ pid: shell.pid ?? 0, dataDir: server.dataDir }), false);
  assert.equal(signalPostmaster({ dataDir: server.dataDir, signal: "SIGTERM" }), null);
  assert.equal((await killServer({ dataDir: server.dataDir, ...LIMITS })).killed, 0);
  assert.equal(shell.exitCode ?? shell.signalCode, null);
  await end(shell);
});

test("the number of another server's postmaster in postmaster.pid does not make it ours", async () => {
  const installation = await installationFor(15);
  await using server = await BareServer.make({ installation });
  await using other = await BareServer.make({ installation });
  const otherPid = await other.start();
  await server.write("postmaster.pid", `${otherPid}\n${server.dataDir}\n1\n1\n\n\n`);
  assert.equal(findPostmaster(server.dataDir), null);
  assert.equal((await killServer({ dataDir: server.dataDir, ...LIMITS })).killed, 0);
  assert.equal(await other.value("SELECT 1"), 1);
});

test("a directory is known through a link, after a rename and after its removal", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  const postmaster = await server.start();
  const place = await mkdtemp(join(tmpdir(), "understudy-link-"));
  const link = join(place, "link");
  await symlink(server.dataDir, link);
  assert.equal(findPostmaster(link)?.pid, postmaster);
  await rename(server.dataDir, join(place, "moved"));
  assert.equal(surveyServer(join(place, "moved")).postmaster?.pid, postmaster);
  const identity = identityOf(postmaster);
  await rm(join(place, "moved"), { recursive: true });
  // Some of its children may end by themselves, now that their files are gone.
  assert.ok((await killServer({ dataDir: join(place, "moved"), ...LIMITS })).killed >= 1);
  assert.ok(identity && !isAlive(identity));
  await rm(place, { recursive: true });
});

test("signals reach the postmaster: a fast shutdown ends it", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  const pid = await server.start();
  const identity = identityOf(pid);
  assert.ok(identity && isAlive(identity));
  assert.equal(signalPostmaster({ dataDir: server.dataDir, signal: "SIGINT" })?.pid, pid);
  await until(() => findServerProcesses(server.dataDir).length === 0);
  // It lets go of its directory a moment before it is dead.
  await until(() => !isAlive(identity));
});

test("a zombie and a process that took over a number are not alive", async (t) => {
  // What the shell becomes never asks for its child's end, so the child stays a zombie.
  const shell = spawn("sh", ["-c", "sleep 300 & echo $!; exec sleep 300"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => end(shell));
  const [text] = await once(shell.stdout, "data");
  const zombie = Number(String(text).trim());
  await until(() => readFileSync(`/proc/${shell.pid}/comm`, "utf8") === "sleep\n");
  process.kill(zombie, "SIGKILL");
  await until(() => identityOf(zombie) === null);
  assert.match(readFileSync(`/proc/${zombie}/stat`, "utf8"), /\) Z /);
  const own = identityOf();
  assert.ok(own && isAlive(own));
  assert.equal(isAlive({ ...own, startTicks: own.startTicks - 1 }), false);
  assert.equal(isAlive({ ...own, bootId: "another boot" }), false);
});

test("a program of many threads stands still when each of them does, not when it was asked to", async (t) => {
  const work = 'new Worker("for (;;);", { eval: true });';
  const program = `const { Worker } = require("worker_threads"); for (let i = 0; i < 4; i++) ${work} console.log(1)`;
  const busy = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => busy.kill("SIGKILL"));
  await once(busy.stdout, "data");
  const pid = busy.pid ?? 0;
  const states = () =>
    readdirSync(`/proc/${pid}/task`).map(
      (thread) => /\) (.)/.exec(readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8"))?.[1],
    );
  await until(() => states().filter((state) => state === "R").length >= 4);
  process.kill(pid, "SIGSTOP");
  assert.ok(await untilStandsStill([pid]));
  assert.deepEqual(new Set(states()), new Set(["T"]));
  process.kill(pid, "SIGCONT");
  await until(() => states().includes("R"));
  await end(busy);
  assert.ok(await untilStandsStill([pid]), "what has ended does nothing either");
});

test("an abort before the first signal kills nothing", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  const pid = await server.start();
  const signal = AbortSignal.abort(new Error("not now"));
  await assert.rejects(killServer({ dataDir: server.dataDir, ...LIMITS, signal }), /not now/);
  assert.equal(findPostmaster(server.dataDir)?.pid, pid);
});
