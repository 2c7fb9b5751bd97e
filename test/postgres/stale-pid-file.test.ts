// A lock file whose number somebody else has: PostgreSQL refuses to start, and we remove it where
// no process of the server lives, and nowhere else.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { test, type TestContext } from "node:test";
import { removeStalePidFile } from "../../src/postgres/stale-pid-file.ts";
import { BareServer } from "../support/bare-server.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor, testMajors } from "../support/installations.ts";
import { testUser, type TestUser } from "../support/test-user.ts";

for (const major of testMajors())
  test(`PostgreSQL ${major}: a zombie's number does not keep it from starting`, async (t) => {
    await using server = await BareServer.make({ installation: await installationFor(major) });
    const zombie = await makeZombie(t, await testUser());
    await server.write("postmaster.pid", pidFile(server, zombie));
    await assert.rejects(server.start(), /lock file "postmaster.pid" already exists/);
    assert.equal(await removeStalePidFile(server.dataDir), true);
    await server.start();
    assert.equal(await server.value("SELECT 1"), 1);
  });

test("another program that got the number does not either", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  await server.write("postmaster.pid", pidFile(server, process.pid));
  assert.equal(await removeStalePidFile(server.dataDir), true);
  await server.start();
});

test("the lock file of a server that runs, or of one whose backends live, stays", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  const pid = await server.start();
  assert.equal(await removeStalePidFile(server.dataDir), false);
  // As if the postmaster had died and its number were taken: its other processes live.
  await server.write("postmaster.pid", pidFile(server, process.pid));
  assert.equal(await removeStalePidFile(server.dataDir), false);
  assert.ok(existsSync(join(server.dataDir, "postmaster.pid")));
  assert.ok(existsSync(`/proc/${pid}`));
});

test("a number that nobody has is left to PostgreSQL, and no file is none", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  assert.equal(await removeStalePidFile(server.dataDir), false);
  await server.start();
  await server.kill();
  const [dead] = readFileSync(join(server.dataDir, "postmaster.pid"), "utf8").split("\n");
  await eventually("its number is free", () => !existsSync(`/proc/${dead}`));
  assert.equal(await removeStalePidFile(server.dataDir), false);
  await server.start();
});

function pidFile(server: BareServer, pid: number): string {
  const lines = [pid, server.dataDir, 1_700_000_000, server.port, "", "127.0.0.1", "", "ready"];
  return `${lines.join("\n")}\n`;
}

/**
 * Of the user that PostgreSQL runs as. The shell would ask for its child's end, what it becomes
 * never does: so the child ends only when the shell is `sleep`.
 */
async function makeZombie(t: TestContext, user: TestUser | undefined): Promise<number> {
  const shell = spawn("sh", ["-c", "read -r word <&3 & echo $!; exec sleep 300"], {
    stdio: ["ignore", "pipe", "ignore", "pipe"],
    ...user,
  });
  t.after(() => void shell.kill("SIGKILL"));
  const [, said, , childWaits] = shell.stdio;
  assert.ok(said instanceof Readable && childWaits instanceof Writable);
  const [text] = await once(said, "data");
  const pid = Number(String(text).trim());
  await eventually("the shell is another program", () => {
    return readFileSync(`/proc/${shell.pid}/comm`, "utf8").trim() === "sleep";
  });
  childWaits.end("end\n");
  await eventually("it is a zombie", () => {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  });
  return pid;
}
