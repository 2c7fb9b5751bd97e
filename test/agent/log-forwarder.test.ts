// A member's logs as a container's runtime gets them: from real files through a real pipe.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { appendFile, mkdtemp, open, rename, rm, truncate, writeFile } from "node:fs/promises";
import { constants } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { LogForwarder } from "../../src/agent/logs/log-forwarder.ts";
import { eventually } from "../support/eventually.ts";

const SERVER_LOG = "postgresql-Mon.log";
const line = (message: string) => `2026-11-23 02:21:48.248 UTC [9] LOG:  ${message}\n`;

/** A pipe by name, as containerd makes them, with nobody who reads yet. */
async function makePlace(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "understudy-logs-"));
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  // Both ways, so that opening waits for nobody.
  const end = await open(pipe, constants.O_RDWR);
  const forwarder = new LogForwarder({ member: "db-1", directory, descriptor: end.fd });
  const path = (name: string) => join(directory, name);
  let text = "";
  const read = () => {
    const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "inherit"] });
    reader.stdout.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
    t.after(() => reader.kill());
  };
  t.after(async () => {
    await forwarder.end();
    await end.close();
    await rm(directory, { recursive: true });
  });
  const messages = () =>
    text
      .split("\n")
      .slice(0, -1)
      .map((each): string => JSON.parse(each).message);
  return { forwarder, path, read, messages };
}

describe("forwarded logs", () => {
  it("are what comes after the beginning, over renaming, truncation and new files", async (t) => {
    const { forwarder, path, read, messages } = await makePlace(t);
    await writeFile(path(SERVER_LOG), line("earlier"));
    await writeFile(path("agent.log"), '{"message":"earlier"}\n');
    await forwarder.begin();
    read();
    await appendFile(path(SERVER_LOG), line("one"));
    await eventually("an appended line", () => messages().includes("one"));
    await appendFile(path("agent.log"), '{"message":"two"}\n{"mess');
    await eventually("a whole line", () => messages().includes("two"));
    await appendFile(path("agent.log"), 'age":"three"}\n');
    await eventually("a line in two pieces", () => messages().includes("three"));
    await rename(path("agent.log"), path("agent.log.1"));
    await writeFile(path("agent.log"), '{"message":"four"}\n');
    await eventually("a line of the next file", () => messages().includes("four"));
    await truncate(path(SERVER_LOG));
    await eventually("a line of the same file begun anew", async () => {
      await writeFile(path(SERVER_LOG), line("5"));
      return messages().includes("5");
    });
    await writeFile(path("agent.out"), "words\n");
    await eventually("a line of a new file", () => messages().includes("words"));
    assert.ok(!messages().includes("earlier"));
  });

  it("wait for a reader that comes late, and are whole then", async (t) => {
    const { forwarder, path, read, messages } = await makePlace(t);
    await forwarder.begin();
    // More than a pipe takes.
    const lines = Array.from({ length: 3_000 }, (_, number) => line(`line ${number}`));
    await writeFile(path(SERVER_LOG), lines.join(""));
    read();
    await eventually("every line", () => messages().length >= 3_000);
    assert.equal(messages().length, 3_000);
    assert.equal(messages().at(-1), "line 2999");
  });
});
