import assert from "node:assert/strict";
import { test } from "node:test";
import type { Progress } from "../../core/member-status.ts";
import { ProgressMeter } from "./progress.ts";

function meter(): { meter: ProgressMeter; reports: Progress[] } {
  const reports: Progress[] = [];
  const report = (progress: Progress): void => void reports.push(progress);
  return { meter: new ProgressMeter({ step: "cloning", report }), reports };
}

test("at most five reports a second come, whatever the number of updates", () => {
  const { meter: subject, reports } = meter();
  subject.enter("cloning", { nowMs: 0, total: 1e9 });
  for (let ms = 1; ms <= 10_000; ms++) subject.update(ms * 1000, ms);
  assert.ok(reports.length >= 45 && reports.length <= 51, String(reports.length));
});

test("a steady rate gives the remaining time", () => {
  const { meter: subject, reports } = meter();
  subject.enter("cloning", { nowMs: 0, total: 100_000_000 });
  assert.equal(reports.at(-1)?.remainingSeconds, null);
  for (let ms = 250; ms <= 5_000; ms += 250) subject.update(ms * 10_000, ms);
  assert.deepEqual(reports.at(-1), {
    step: "cloning",
    bytesDone: 50_000_000,
    bytesTotal: 100_000_000,
    remainingSeconds: 5,
  });
});

test("a rate that changes is followed within some seconds", () => {
  const { meter: subject, reports } = meter();
  subject.enter("cloning", { nowMs: 0, total: 1_000_000 });
  for (let ms = 250; ms <= 5_000; ms += 250) subject.update(ms * 10, ms);
  for (let ms = 5_250; ms <= 25_000; ms += 250) subject.update(50_000 + (ms - 5_000) * 40, ms);
  const remaining = reports.at(-1)?.remainingSeconds ?? 0;
  assert.ok(remaining > 3 && remaining < 5, String(remaining));
});

test("without a total no time is promised, and the total grows with what comes beyond it", () => {
  const { meter: subject, reports } = meter();
  subject.enter("syncing", { nowMs: 0, total: null });
  subject.update(10, 1_000);
  assert.equal(reports.at(-1)?.remainingSeconds, null);
  subject.enter("cloning", { nowMs: 2_000, total: 100 });
  subject.update(150, 3_000);
  assert.equal(reports.at(-1)?.bytesTotal, 150);
  assert.equal(reports.at(-1)?.remainingSeconds, 0);
});
