// The program as a process: exit statuses, what goes to which stream, variables, a reader that goes
// away.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../bin/understudy.js", import.meta.url));

describe("the program", () => {
  let home = "";

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "understudy-cli-"));
  });

  after(async () => {
    await rm(home, { recursive: true, force: true });
  });

  async function run(
    args: readonly string[],
    options: { env?: Record<string, string>; closeStdout?: boolean } = {},
  ) {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], XDG_DATA_HOME: home, XDG_CACHE_HOME: home, ...options.env },
      timeout: 60_000,
    });
    let stdout = "";
    let stderr = "";
    if (options.closeStdout === true) child.stdout.destroy();
    else child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { status, stdout, stderr };
  }

  it("says that there is no cluster, on stderr, and exits with 3", async () => {
    const { status, stdout, stderr } = await run(["status"]);
    assert.equal(status, 3);
    assert.equal(stdout, "");
    assert.match(stderr, /^x error: there is no cluster demo in .*\n {2}hint: .*understudy up\n$/);
  });

  it("says the same as one JSON document for programs, and shows no stack trace", async () => {
    for (const args of [
      ["status", "--json"],
      ["status", "-o", "yaml"],
    ]) {
      const { status, stderr } = await run(args);
      assert.equal(status, 3);
      const { code, hint } = JSON.parse(stderr);
      assert.equal(code, "CLUSTER_NOT_FOUND");
      assert.match(hint, /understudy up/);
    }
    const { stderr } = await run(["status"], { env: { UNDERSTUDY_DEBUG: "1" } });
    assert.match(stderr, /\n {4}at /);
  });

  it("takes a flag before a variable, and a variable before the default", async () => {
    const env = { UNDERSTUDY_NAME: "shop" };
    assert.match((await run(["status"], { env })).stderr, /no cluster shop /);
    assert.match((await run(["status", "--name", "blog"], { env })).stderr, /no cluster blog /);
    assert.match((await run(["--name", "blog", "status"], { env })).stderr, /no cluster blog /);
    const output = await run(["status"], { env: { UNDERSTUDY_OUTPUT: "json" } });
    assert.equal(JSON.parse(output.stderr).code, "CLUSTER_NOT_FOUND");
  });

  it("takes the cluster that is named behind the command before that of a variable", async () => {
    const env = { UNDERSTUDY_NAME: "prod" };
    for (const command of ["switchover", "status", "pause", "resume", "events"]) {
      const { status, stderr } = await run(["-y", command, "staging"], { env });
      assert.equal(status, 3, command);
      assert.match(stderr, /no cluster staging /, command);
    }
  });

  it("does nothing where two different clusters are typed", async () => {
    for (const args of [
      ["--name", "prod", "switchover", "staging"],
      ["switchover", "staging", "--name", "prod"],
    ]) {
      const { status, stderr } = await run(args);
      assert.equal(status, 2);
      assert.match(stderr, /two clusters are named, staging and, behind --name, prod/);
    }
    const same = await run(["switchover", "staging", "--name", "staging"]);
    assert.match(same.stderr, /no cluster staging /);
  });

  it("exits with 2 for a wrong command line, with colours only where they are wanted", async () => {
    assert.equal((await run(["stauts"])).status, 2);
    const forced = await run(["stauts"], { env: { FORCE_COLOR: "1", LANG: "C.UTF-8" } });
    assert.ok(forced.stderr.startsWith("\u001b[31m✕ error\u001b[39m: unknown command"));
    const plain = await run(["stauts", "--no-color"], { env: { FORCE_COLOR: "1" } });
    assert.match(plain.stderr, /^x error: unknown command "stauts"\n/);
  });

  it("is silent when its reader goes away", async () => {
    const { status, stderr } = await run(["--help"], { closeStdout: true });
    assert.equal(stderr, "");
    assert.equal(status, 0);
  });

  it("prints a completion script that bash accepts and that completes", async () => {
    const { stdout } = await run(["completion", "bash"]);
    const script = `${stdout}
understudy() { ${process.execPath} ${PROGRAM} "$@"; }
COMP_WORDS=(understudy st); COMP_CWORD=1; _understudy; echo "\${COMPREPLY[*]}"
COMP_WORDS=(understudy status -o ""); COMP_CWORD=3; _understudy; echo "\${COMPREPLY[*]}"`;
    const child = spawn("bash", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
    let answer = "";
    child.stdout.on("data", (chunk) => (answer += String(chunk)));
    await new Promise((resolve) => child.once("close", resolve));
    assert.equal(answer, "status standby\ntable wide json yaml name\n");
  });
});
