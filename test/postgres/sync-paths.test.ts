import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { syncPaths } from "../../src/postgres/base-backup/sync-paths.ts";

const FILES = 300;

describe("many files made durable", () => {
  let root: string;
  let paths: string[];
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "understudy-sync-"));
    paths = Array.from({ length: FILES }, (_, n) => join(root, String(n)));
    for (const path of paths) await writeFile(path, "x");
  });
  after(() => rm(root, { recursive: true, force: true }));

  for (const [name, path] of [
    ["with the file system asked first", process.env["PATH"]],
    ["where there is no program to ask it with", "/nonexistent"],
  ] as const)
    describe(name, () => {
      const own = process.env["PATH"];
      after(() => {
        process.env["PATH"] = own;
      });
      test("each of them is opened, and what cannot be is told", async () => {
        process.env["PATH"] = path;
        await syncPaths(paths, new AbortController().signal);
        for (const place of [0, FILES / 2, FILES])
          await assert.rejects(
            syncPaths(paths.toSpliced(place, 0, join(root, "none")), new AbortController().signal),
            { code: "ENOENT" },
          );
      });

      test("it ends when it is told to", async () => {
        const signal = AbortSignal.abort(new Error("enough"));
        await assert.rejects(syncPaths(paths, signal), /enough/);
        await assert.rejects(syncPaths(paths.slice(0, 3), signal), /enough/);
      });
    });
});
