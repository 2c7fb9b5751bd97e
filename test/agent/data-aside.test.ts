// What becomes of a copy that gave way to another, with real directories.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { removeCopiesAside, setCopyAside } from "../../src/agent/effects/data-aside.ts";
import { memberPaths, type MemberPaths } from "../../src/agent/member-paths.ts";

interface Ground extends AsyncDisposable {
  readonly paths: MemberPaths;
  readonly member: Parameters<typeof removeCopiesAside>[0];
  readonly events: string[];
}

async function ground(): Promise<Ground> {
  const root = await mkdtemp(join(tmpdir(), "ust-aside-"));
  const paths = memberPaths(root, "t-1");
  const events: string[] = [];
  const member = {
    name: "t-1",
    paths,
    event: ({ event }: { event: string }) => events.push(event),
  };
  return {
    paths,
    member,
    events,
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

async function makeData({ data }: MemberPaths, content: string): Promise<void> {
  await mkdir(data, { recursive: true });
  await writeFile(join(data, "wal"), content);
}

test("a copy that was set aside is removed once the leader that has all of it was copied", async () => {
  await using all = await ground();
  const { paths, member, events } = all;
  await makeData(paths, "old");
  await setCopyAside(member, 3);
  await makeData(paths, "new");
  await removeCopiesAside(member, 3);
  assert.deepEqual(await readdir(paths.root), ["data"]);
  assert.deepEqual(events, []);
});

test("a copy that was set aside is kept where another leads by now, who may have less", async () => {
  await using all = await ground();
  const { paths, member, events } = all;
  await makeData(paths, "old");
  await setCopyAside(member, 3);
  await makeData(paths, "new");
  // The disk of the leader of term 3 was lost before it could be copied.
  await removeCopiesAside(member, 4);
  assert.deepEqual((await readdir(paths.root)).toSorted(), ["data", "kept"]);
  const [kept = ""] = await readdir(paths.kept);
  assert.equal(await readFile(join(paths.kept, kept, "data", "wal"), "utf8"), "old");
  assert.equal(await readFile(join(paths.data, "wal"), "utf8"), "new");
  assert.deepEqual(events, ["data-set-aside"]);
});
