import assert from "node:assert/strict";
import { test } from "node:test";
import { backupCommand, quoteName } from "./command.ts";

test("each major gets the grammar that it knows", () => {
  assert.equal(
    backupCommand({ major: 12, label: "it's" }),
    "BASE_BACKUP LABEL 'it''s' PROGRESS FAST NOWAIT",
  );
  assert.equal(
    backupCommand({ major: 14, label: "a", rateLimitBytesPerSecond: 1 << 20 }),
    "BASE_BACKUP LABEL 'a' PROGRESS FAST NOWAIT MAX_RATE 1024 MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'",
  );
  assert.equal(
    backupCommand({ major: 18, label: "a", rateLimitBytesPerSecond: 1 << 20 }),
    "BASE_BACKUP (LABEL 'a', PROGRESS, CHECKPOINT 'fast', WAIT 0, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C', MAX_RATE 1024)",
  );
});

test("a rate beyond the server's limits becomes the limit", () => {
  const low = backupCommand({ major: 10, label: "a", rateLimitBytesPerSecond: 1 });
  assert.match(low, /MAX_RATE 32$/);
  const high = backupCommand({ major: 10, label: "a", rateLimitBytesPerSecond: 1e12 });
  assert.match(high, /MAX_RATE 1048576$/);
});

test("a name cannot end the command", () => {
  assert.equal(quoteName('a"; DROP'), '"a""; DROP"');
});
