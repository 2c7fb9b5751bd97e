import assert from "node:assert/strict";
import { test } from "node:test";
import { serverEntries, serverEntry } from "./server-entry.ts";

test("a line of the server itself becomes an entry with its severity and process", () => {
  const line = "2026-11-23 02:21:48.248 UTC [128] LOG:  database system is ready";
  assert.deepEqual(serverEntry(line, "db-1"), {
    at: "2026-11-23T02:21:48.248Z",
    member: "db-1",
    event: "postgresql",
    level: "info",
    message: "database system is ready",
    details: { severity: "LOG", pid: 128 },
  });
});

test("a session's line tells whose it is, also where the application's name has blanks and a slash", () => {
  const line = `2026-11-23 02:21:48.248 UTC [9] app@shop/my app/2 ERROR:  relation "a" is not there`;
  const entry = serverEntry(line, "db-1");
  assert.equal(entry?.level, "error");
  assert.equal(entry?.message, 'relation "a" is not there');
  const session = { user: "app", database: "shop", application: "my app/2" };
  assert.deepEqual(entry?.details, { severity: "ERROR", pid: 9, ...session });
});

test("a time in another zone is left as the server wrote it", () => {
  const line = "2026-11-23 03:21:48.248 CET [9] WARNING:  there is no transaction in progress";
  const entry = serverEntry(line, "db-1");
  assert.equal(entry?.at, "2026-11-23 03:21:48.248 CET");
  assert.equal(entry?.level, "warning");
});

test("the further lines of a statement belong to its first", () => {
  const lines = [
    "\tof a statement before",
    "2026-11-23 02:21:48.248 UTC [9] app@shop/psql STATEMENT:  SELECT 1",
    "\tFROM a",
    "2026-11-23 02:21:48.249 UTC [9] LOG:  next",
  ];
  const messages = serverEntries(lines, { member: "db-1", now: "2026-11-23T02:21:49Z" }).map(
    ({ message }) => message,
  );
  assert.deepEqual(messages, ["of a statement before", "SELECT 1\nFROM a", "next"]);
});
