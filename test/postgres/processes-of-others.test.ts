// Another user's PostgreSQL on the same machine: where it works may not be seen, and it is no part
// of a server whose data directory is gone. Only root can start one, so that nobody else has this
// test.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmod, copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.ts";
import { testDirectory, testUser } from "../support/test-user.ts";

const PROCESSES = fileURLToPath(new URL("../../src/postgres/processes.ts", import.meta.url));
/** Nobody's. */
const STRANGER = 54_321;

const user = await testUser();
if (user !== undefined)
  test("another user's PostgreSQL is not taken for one whose data directory is gone", async () => {
    const directory = await testDirectory(user);
    await chmod(directory, 0o755);
    const [program, elsewhere] = [join(directory, "postgres"), join(directory, "elsewhere")];
    await copyFile("/bin/sleep", program);
    await chmod(program, 0o755);
    await mkdir(elsewhere, { mode: 0o755 });
    const stranger = spawn(program, ["600"], { uid: STRANGER, gid: STRANGER, cwd: elsewhere });
    const survey = (dataDir: string) => {
      const code = `import { surveyServer } from "${PROCESSES}";
        const { processes, hidden } = surveyServer(process.argv[1]);
        console.log(JSON.stringify([processes, hidden].map((all) => all.map(({ pid }) => pid))));`;
      const args = ["--input-type=module", "--eval", code, dataDir];
      const child = spawnSync(process.execPath, args, { ...user, cwd: "/", encoding: "utf8" });
      assert.equal(child.status, 0, child.stderr);
      const [processes, hidden]: number[][] = JSON.parse(child.stdout);
      return { processes, hidden };
    };
    try {
      await eventually("it runs", () => stranger.pid !== undefined);
      const { processes, hidden } = survey(join(directory, "data"));
      assert.deepEqual(processes, []);
      assert.ok(hidden?.includes(stranger.pid ?? 0) === false, "its owner tells");
      // Where nothing tells whose the directory was, nothing is proven.
      const unknown = survey(join(directory, "gone", "data"));
      assert.ok(unknown.hidden?.includes(stranger.pid ?? 0));
    } finally {
      stranger.kill("SIGKILL");
      await rm(directory, { recursive: true, force: true });
    }
  });
