// The user that PostgreSQL runs as, on the real system; what only root can do is tested where the
// tests run as root.
import assert from "node:assert/strict";
import { chmod, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkReachable, findOsUser } from "../../src/postgres/os-user.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import { testDirectory, testUser } from "../support/test-user.ts";

const isRoot = process.getuid?.() === 0;
const user = await testUser();

function dropInChild(): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const script = join(import.meta.dirname, "..", "support", "drop-privileges-child.ts");
  return runProgram({ program: process.execPath, args: [script], timeoutMs: 20_000 });
}

if (isRoot) {
  test("root takes an unprivileged user, and refuses root and unknown ones", async () => {
    const found = await findOsUser();
    assert.ok(found !== null && found.uid !== 0);
    assert.equal((await findOsUser({ wanted: "nobody" }))?.uid, 65534);
    await assert.rejects(findOsUser({ wanted: "root" }), {
      code: "NO_USABLE_USER",
      message: "cannot run PostgreSQL as root: that is root, which PostgreSQL refuses",
    });
    for (const wanted of ["no-such-user-here", "--help", "", "x:y"])
      await assert.rejects(findOsUser({ wanted }), {
        code: "NO_USABLE_USER",
        message: /there is no such user/,
      });
  });

  test("privileges are gone for good, groups and all", async () => {
    const found = await findOsUser();
    const { status, stdout, stderr } = await dropInChild();
    assert.equal(status, 0, stderr);
    const said = JSON.parse(stdout);
    assert.deepEqual(
      [said.uid, said.euid, said.gid, said.home, said.directory, said.umask],
      [found?.uid, found?.uid, found?.gid, found?.home, "/", 0o077],
    );
    assert.ok(!said.groups.includes(0));
    assert.equal(said.shadow, "EACCES");
    assert.equal(said.wanted, "NO_USABLE_USER");
    assert.match(said.inTheWay, /cannot use \/root\/understudy\/demo: it may not enter \/root \(/);
  });

  test("the directory in the way is named, whatever the reason", async () => {
    const root = await testDirectory(user);
    const found = await findOsUser();
    assert.ok(found !== null);
    assert.equal(await checkReachable(join(root, "new", "deep"), found), null);
    await mkdir(join(root, "closed", "below"), { recursive: true });
    await chmod(join(root, "closed"), 0o700);
    await mkdir(join(root, "read-only"));
    await writeFile(join(root, "file"), "");
    const reason = async (...path: string[]) => checkReachable(join(root, ...path), found);
    assert.match(
      (await reason("closed", "below", "data")) ?? "",
      /it may not enter \/.*closed \(mode 0700, owned by user 0\)$/,
    );
    assert.match((await reason("read-only", "data")) ?? "", /it may not write to \/.*read-only \(/);
    assert.match((await reason("file", "data")) ?? "", /file is no directory$/);
    await chown(join(root, "closed"), found.uid, found.gid);
    await chown(join(root, "closed", "below"), found.uid, found.gid);
    assert.equal(await reason("closed", "below", "data"), null);
    await rm(root, { recursive: true });
  });
} else {
  test("an ordinary user runs PostgreSQL as itself, and cannot choose another", async () => {
    assert.equal(await findOsUser(), null);
    assert.equal(await findOsUser({ wanted: userInfo().username }), null);
    await assert.rejects(findOsUser({ wanted: "root" }), {
      code: "NO_USABLE_USER",
      message: /only root can become another user/,
    });
    const said = JSON.parse((await dropInChild()).stdout);
    assert.equal(said.uid, process.getuid?.());
  });

  test("the directory in the way of an ordinary user is named", async () => {
    const root = await testDirectory(user);
    assert.equal(await checkReachable(join(root, "new"), null), null);
    await mkdir(join(root, "closed"), { mode: 0o500 });
    assert.match(
      (await checkReachable(join(root, "closed", "x"), null)) ?? "",
      /write to .*closed/,
    );
    await rm(root, { recursive: true });
  });
}
