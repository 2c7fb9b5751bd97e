import assert from "node:assert/strict";
import { test } from "node:test";
import { parseScheduleTime } from "./schedule-time.ts";

const NOW = new Date("2026-11-22T12:30:00.000Z");

test("a time with its offset is that very moment", () => {
  for (const text of ["2026-11-23T03:00:00Z", "2026-11-23 04:00+01:00", "2026-11-23t03:00:00.0z"])
    assert.equal(parseScheduleTime(text, NOW).toISOString(), "2026-11-23T03:00:00.000Z");
});

test("a time of day is the next one on this machine's clock", () => {
  for (let hour = 0; hour < 24; hour += 1) {
    const moment = parseScheduleTime(`${hour}:15`, NOW);
    assert.deepEqual([moment.getHours(), moment.getMinutes()], [hour, 15]);
    const awayMs = moment.getTime() - NOW.getTime();
    // A day may be an hour longer where clocks are set back.
    assert.ok(awayMs > 0 && awayMs <= 25 * 3_600_000, moment.toISOString());
  }
});

test("what is no time, has passed or is too far away is refused in one sentence", () => {
  const refused = [
    ["soon", /^"soon" is no time: write HH:MM/],
    ["25:00", /is no time/],
    ["2026-11-23T03:00:00", /is no time/],
    ["2026-13-40T03:00:00Z", /is no time/],
    ["2026-11-22T12:29:59Z", /has passed: it is 2026-11-22T12:30/],
    ["2029-01-01T00:00:00Z", /more than 366 days away$/],
  ] as const;
  for (const [text, message] of refused)
    assert.throws(() => parseScheduleTime(text, NOW), { code: "USAGE", message });
});
