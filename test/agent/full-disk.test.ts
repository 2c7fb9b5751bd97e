// What an agent needs to begin, on a disk that is really full: a member that was there before comes
// up all the same, and nothing is left behind by what could not be written.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { VOLUME_OWNER } from "../../src/agent/own-volume.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import type { FullDiskOutcome } from "./full-disk-child.ts";

describe("on a disk that is full", () => {
  let disk = "";
  let outcome: FullDiskOutcome;

  before(async () => {
    disk = await mkdtemp(join(tmpdir(), "ust-full-"));
    const mount = `mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" "$3" "$1"`;
    const child = join(import.meta.dirname, "full-disk-child.ts");
    const inside = ["sh", "-c", mount, "sh", disk, process.execPath, child];
    const { status, stdout, stderr } = await runProgram({
      program: "unshare",
      args: ["--mount", "--map-root-user", ...inside],
      timeoutMs: 60_000,
    });
    assert.equal(status, 0, stderr);
    outcome = JSON.parse(stdout) as FullDiskOutcome;
  });

  after(() => rm(disk, { recursive: true, force: true }));

  it("a volume that is this member's already is its own, and nothing is written", () => {
    assert.deepEqual(outcome.known, { code: "none", message: "it is its own" });
  });

  it("a volume that nobody had before is refused as full, and not for its rights", () => {
    assert.equal(outcome.first.code, "DISK_FULL", outcome.first.message);
    assert.match(outcome.first.message, /owner\.json: the volume is full$/);
  });

  it("an address that stands there needs no room, and one that does not is only told of", () => {
    assert.equal(outcome.sameAddress, null);
    assert.match(outcome.otherAddress ?? "", /ENOSPC/);
  });

  it("what could not be written leaves nothing", () => {
    assert.equal(outcome.written, "ENOSPC");
    const paths = ["known", "first"].map((name) => memberPaths(join(disk, name), "t-1"));
    const [known, first] = paths.map(({ root }) => root.slice(disk.length + 1));
    const there = outcome.files.filter((name) => name.includes(".") || name === first);
    assert.deepEqual(there, [first, `${known}/address.json`, `${known}/${VOLUME_OWNER}`].sort());
  });
});
