// On what real directories of this machine lie.
import assert from "node:assert/strict";
import { stat, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  deviceText,
  inspectStorage,
  sharedFailureDomains,
  storageOf,
} from "../../src/postgres/storage.ts";

test("a directory that does not exist yet lies where it would be made", async () => {
  const [here, later] = [
    await inspectStorage(tmpdir()),
    await inspectStorage(join(tmpdir(), "understudy-none", "data")),
  ];
  assert.deepEqual({ ...later, freeBytes: 0 }, { ...here, freeBytes: 0 });
  const space = await statfs(tmpdir());
  assert.equal(here.totalBytes, space.blocks * space.bsize);
  assert.ok(here.freeBytes > 0 && here.freeBytes < here.totalBytes);
});

test("two members in one place share it, and their status says where that is", async () => {
  const storage = await inspectStorage(tmpdir());
  const [shared] = sharedFailureDomains([
    { member: "demo-1", storage },
    { member: "demo-2", storage },
  ]);
  assert.match(shared?.warning ?? "", /^demo-1 and demo-2 share (one|the) .*they fail together$/);
  assert.equal(storageOf(storage).source, `${storage.source} on ${storage.mountPoint}`);
});

test("shared memory is another file system than /proc, with the number that stat gives", async () => {
  const [memory, proc] = [await inspectStorage("/dev/shm"), await inspectStorage("/proc")];
  assert.equal(memory.fileSystem, "tmpfs");
  assert.equal(memory.mountPoint, "/dev/shm");
  assert.equal(memory.device, deviceText((await stat("/dev/shm")).dev));
  assert.equal(proc.fileSystem, "proc");
  assert.notEqual(memory.device, proc.device);
});
