// What real directories hold, and what is wrong with them.
import assert from "node:assert/strict";
import { chmod, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { inspectDataDirectory } from "../../src/postgres/data-directory.ts";
import { BareServer } from "../support/bare-server.ts";
import { installationFor, testMajors } from "../support/installations.ts";
import { testDirectory, testUser } from "../support/test-user.ts";

const user = await testUser();
const options = user === undefined ? {} : { uid: user.uid };

for (const major of testMajors())
  test(`PostgreSQL ${major}: a data directory is told from its first start to its kill`, async () => {
    await using server = await BareServer.make({ installation: await installationFor(major) });
    const { dataDir } = server;
    const fresh = await inspectDataDirectory(dataDir, options);
    assert.ok(fresh.kind === "data");
    assert.deepEqual(
      [fresh.major, fresh.postmasterPid, fresh.recovery, fresh.hasBackupLabel, fresh.problems],
      [major, null, null, false, []],
    );
    assert.equal(fresh.control?.state, "shut down");

    const pid = await server.start();
    const running = await inspectDataDirectory(dataDir, options);
    assert.ok(running.kind === "data");
    const { postmasterPid } = running;
    assert.deepEqual(
      [postmasterPid?.pid, postmasterPid?.port, postmasterPid?.status, postmasterPid?.dataDir],
      [pid, server.port, "ready", dataDir],
    );
    assert.equal(postmasterPid?.listenAddress, "127.0.0.1");
    assert.ok(Math.abs(Date.now() / 1000 - (postmasterPid?.startedAt ?? 0)) < 60);

    await server.kill();
    await server.startInRecovery();
    await server.kill();
    const standby = await inspectDataDirectory(dataDir, options);
    assert.ok(standby.kind === "data");
    assert.equal(standby.recovery, major < 12 ? "recovery.conf" : "standby.signal");
    assert.equal(standby.postmasterPid?.status, "ready");
    assert.equal(standby.control?.state, "in archive recovery");

    await chmod(dataDir, 0o750);
    assert.equal((await problemsOf(dataDir)).length, major === 10 ? 1 : 0);
    await chmod(dataDir, 0o755);
    const [problem] = await problemsOf(dataDir);
    assert.match(problem ?? "", /has mode 0755, and PostgreSQL \d+ wants 0700/);
  });

async function problemsOf(dir: string): Promise<readonly string[]> {
  const found = await inspectDataDirectory(dir, options);
  return found.kind === "absent" ? [] : found.problems;
}

test("nothing, an empty directory, other people's files, a file and old data are told apart", async () => {
  const root = await testDirectory(user);
  const place = async (name: string, files: Record<string, string>) => {
    const dir = join(root, name);
    await mkdir(dir);
    if (user !== undefined) await chown(dir, user.uid, user.gid);
    for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text);
    return inspectDataDirectory(dir, options);
  };
  assert.deepEqual(await inspectDataDirectory(join(root, "none"), options), { kind: "absent" });
  assert.deepEqual(await place("empty", {}), { kind: "empty", problems: [] });
  assert.deepEqual(await place("photos", { "d.jpg": "", "a.jpg": "", "c.jpg": "", "b.jpg": "" }), {
    kind: "foreign",
    entries: ["a.jpg", "b.jpg", "c.jpg"],
    problems: [],
  });
  assert.deepEqual(await place("old", { PG_VERSION: "9.6\n" }), {
    kind: "foreign",
    entries: ["PG_VERSION"],
    problems: [`${join(root, "old")} holds data of PostgreSQL 9.6`],
  });
  assert.deepEqual(await inspectDataDirectory(join(root, "photos", "a.jpg"), options), {
    kind: "foreign",
    entries: [],
    problems: [`${join(root, "photos", "a.jpg")} is no directory`],
  });
  const half = await place("half", { PG_VERSION: "15\n" });
  assert.ok(half.kind === "data" && half.control === null);
  assert.match(half.problems.join(), /global\/pg_control: ENOENT/);
  const strange = await inspectDataDirectory(join(root, "empty"), { uid: 54321 });
  assert.ok(strange.kind === "empty");
  assert.match(
    strange.problems.join(),
    /belongs to user \d+, and PostgreSQL would run as user 54321/,
  );
  await rm(root, { recursive: true });
});
