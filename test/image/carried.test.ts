// The agent as it is carried into PostgreSQL's container: our image's init container fills a
// volume, and the agent runs from it in a root that has another libc, or none, by any user.
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { read } from "../tidy/source-tree.ts";
import { fillVolume } from "./carried-volume.ts";
import { IS_ROOT, runIn, type Container } from "./container.ts";
import { muslRoot } from "./musl-root.ts";

const POSTGRES_OF_ALPINE = 70;
const { version } = JSON.parse(read("package.json"));

describe("the agent in a container of musl", () => {
  let scratch = "";
  let init: Container;
  let musl: Container;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "understudy-carried-"));
    // Whoever is not root in the containers has to get there.
    await chmod(scratch, 0o755);
    const uid = POSTGRES_OF_ALPINE;
    init = await fillVolume(scratch, uid);
    const volumes = [{ source: join(scratch, "volume"), target: "/opt/understudy" }];
    musl = { root: await muslRoot(join(scratch, "musl")), uid, volumes };
  });

  after(() => rm(scratch, { recursive: true, force: true }));

  const inMusl = (command: readonly string[], env: Record<string, string> = {}) =>
    runIn({ ...musl, env }, command);
  const evaluate = (code: string, env: Record<string, string> = {}) =>
    inMusl(["/opt/understudy/bin/node", "-p", code], env);

  it("starts, with nothing of glibc there, no line in passwd and nothing writable", async () => {
    const said = await inMusl(["/opt/understudy/understudy", "--version"]);
    assert.deepEqual(said, { status: 0, stdout: `${version}\n`, stderr: "" });
    const agent = await inMusl(["/opt/understudy/agent"]);
    assert.match(agent.stderr, /an agent needs --dir/);
    assert.equal(agent.status, 2);
    // As in a pod with one process namespace: the first process is somebody else's.
    const second = await inMusl(["/bin/sh", "-c", "/opt/understudy/agent; echo $?"]);
    assert.equal(second.stdout, "2\n");
    assert.doesNotMatch(second.stderr, /tini/i);
  });

  it("has its own loader and libraries, whatever the image's environment says", async () => {
    const maps = `fs.readFileSync("/proc/self/maps", "utf8").match(/\\S+\\.so\\S*/g).join("\\n")`;
    const { stdout, stderr } = await evaluate(maps, { LD_LIBRARY_PATH: "/lib:/usr/lib" });
    const loaded = new Set(stdout.trim().split("\n"));
    assert.ok(loaded.has("/opt/understudy/lib/libc.so.6"), stdout + stderr);
    for (const path of loaded) assert.match(path, /^\/opt\/understudy\/lib\//);
  });

  it("starts programs of the image with the image's loader, and itself with its own", async () => {
    const busybox = await evaluate(output(`"/bin/busybox", ["id", "-u"]`));
    assert.equal(busybox.stdout, `${IS_ROOT ? POSTGRES_OF_ALPINE : 0}\n`, busybox.stderr);
    const self = await evaluate(output(`process.execPath, ["-p", "process.execPath"]`));
    assert.equal(self.stdout, "/opt/understudy/bin/node\n", self.stderr);
    const names = await evaluate(`Object.keys(process.env).join()`, { LANG: "C" });
    assert.doesNotMatch(names.stdout, /LD_/);
  });

  it("finds hosts by name without any module of the image's libc", async () => {
    const found = await evaluate(
      `dns.lookup("standby.example", (error, address) => console.log(error ?? address)), ""`,
    );
    assert.equal(found.stdout.trim(), "192.0.2.7", found.stderr);
  });

  it("is brought again over what is there, whole or half", async () => {
    const volume = init.volumes?.[0]?.source ?? "";
    await rm(join(volume, "dist"), { recursive: true });
    await writeFile(join(volume, "agent"), "half");
    await mkdir(join(volume, ".bringing"));
    const again = await runIn(init, ["/understudy/bring", "/opt/understudy"]);
    assert.equal(again.status, 0, again.stdout + again.stderr);
    const there = await readdir(volume);
    assert.deepEqual(
      there.filter((name) => name.startsWith(".") || name === "bring"),
      [],
    );
    const said = await inMusl(["/opt/understudy/understudy", "--version"]);
    assert.equal(said.stdout, `${version}\n`, said.stderr);
  });

  it("is not brought, in one sentence, to where it cannot be", async () => {
    const bring = (to: string, where = init) => runIn(where, ["/understudy/bring", to]);
    const why = async (ended: ReturnType<typeof bring>) => {
      const { status, stdout } = await ended;
      assert.equal(status, 1);
      return JSON.parse(stdout).message;
    };
    assert.equal(await why(bring("/none")), "cannot bring the agent to /none: it is no directory");
    assert.match(
      await why(bring("/etc")),
      /cannot bring the agent to \/etc: it is mounted read-only/,
    );
    if (IS_ROOT) {
      const volumes = [{ source: join(scratch, "volume"), target: "/opt/understudy" }] as const;
      const other = { ...init, uid: 1234, volumes: [{ ...volumes[0], writable: true }] } as const;
      assert.match(await why(bring("/opt/understudy", other)), /user 1234 may not write there/);
    }
    const { status, stderr } = await runIn(init, ["/understudy/bring"]);
    assert.deepEqual([status, stderr], [2, "bring needs one directory: where to\n"]);
  });

  it("is also the command of our own image, as its entry point says", async () => {
    const entry = ["/understudy/bin/tini", "--", "/understudy/understudy"];
    const own = { root: init.root, uid: 65_532 };
    const { stdout, stderr } = await runIn(own, [...entry, "--version"]);
    assert.deepEqual([stdout, stderr], [`${version}\n`, ""]);
  });
});

/** To be evaluated: what a program prints. */
function output(program: string): string {
  return `child_process.execFileSync(${program}, { encoding: "utf8" }).trim()`;
}
