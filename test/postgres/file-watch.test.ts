// Waiting for something to happen to a file, on a real file system.
import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileWatch } from "../../src/postgres/file-watch.ts";

test("a change that came before anybody waited is not missed, nor is one that comes later", async () => {
  const directory = await mkdtemp(join(tmpdir(), "understudy-watch-"));
  try {
    const path = join(directory, "it");
    // Far longer than the test may take: what ends a wait here is the event.
    using watch = new FileWatch(path, { pollMs: 3_600_000 });
    await writeFile(join(directory, "new"), "whole");
    await rename(join(directory, "new"), path);
    await watch.changed();
    const later = watch.changed();
    await writeFile(path, "more");
    await later;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("a wait ends at the time for a look where nothing is told, also of a directory that is not there", async () => {
  using watch = new FileWatch("/nonexistent/understudy/it", { pollMs: 5 });
  assert.equal(await watch.changed(), null);
});
