import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePostmasterPid } from "./postmaster-pid.ts";

test("the lock file of a running server is read line by line", () => {
  assert.deepEqual(
    parsePostmasterPid(
      "12639\n/var/lib/pg/data\n1795350569\n6431\n/tmp\n127.0.0.1\n  1234  5678\nready   \n",
    ),
    {
      pid: 12639,
      singleUser: false,
      dataDir: "/var/lib/pg/data",
      startedAt: 1795350569,
      port: 6431,
      socketDir: "/tmp",
      listenAddress: "127.0.0.1",
      status: "ready",
    },
  );
});

test("a server that is still starting has not written everything yet", () => {
  const early = parsePostmasterPid("12\n/data\n1795350569\n6431\n\n");
  assert.deepEqual([early?.socketDir, early?.listenAddress, early?.status], [null, null, null]);
});

test("a single-user server writes a negative number", () => {
  const alone = parsePostmasterPid("-77\n/data\n1795350569\n0\n\n\n");
  assert.deepEqual([alone?.pid, alone?.singleUser, alone?.port], [77, true, 0]);
});

test("an empty, cut off or damaged file names no process", () => {
  for (const text of ["", "\n", "0\n/data\n1\n", "12", "12\n/data", "12\n\n1\n", "x\n/data\n1\n"])
    assert.equal(parsePostmasterPid(text), null, JSON.stringify(text));
});
