import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { inOrderOfTime } from "./log-order.ts";

function log(member: string, ...texts: string[]) {
  return texts.map((text) => ({ member, text }));
}

function ordered(logs: Parameters<typeof inOrderOfTime>[0], timeZone = "UTC"): string[] {
  return inOrderOfTime(logs, timeZone).map(({ text }) =>
    text.replace(/^.*(first|second|third)/, "$1"),
  );
}

test("lines of agents and servers come in the order of their time", () => {
  const logs = [
    log(
      "t-1",
      "2026-11-22 12:00:00.100 UTC [7] LOG:  first",
      "2026-11-22 12:00:00.300 UTC [7] LOG:  third",
    ),
    log("t-2", '{"at":"2026-11-22T12:00:00.200Z","member":"t-2","event":"second"'),
  ];
  assert.deepEqual(ordered(logs), ["first", 'second"', "third"]);
});

test("a line without a time stays behind the one before it", () => {
  const logs = [
    log("t-1", "2026-11-22 12:00:00.100 UTC [7] STATEMENT:  first", "\tFROM there"),
    log("t-2", "2026-11-22 12:00:00.100 UTC [8] LOG:  second"),
    log("t-3", "no time at all"),
  ];
  assert.deepEqual(ordered(logs), ["no time at all", "first", "\tFROM there", "second"]);
});

test("a server's time zone is taken into account", () => {
  const own = '{"at":"2026-07-22T12:00:00.200Z","member":"t-2","event":"second"';
  for (const [zone, timeZone, hour] of [
    ["CEST", "Europe/Berlin", 14],
    ["-03", "America/Sao_Paulo", "09"],
    ["+0530", "Asia/Kolkata", 17],
    ["EDT", "America/New_York", "08"],
  ] as const) {
    const minute = zone === "+0530" ? "30" : "00";
    const logs = [
      log("t-2", own),
      log(
        "t-1",
        `2026-07-22 ${hour}:${minute}:00.100 ${zone} [7] LOG:  first`,
        `2026-07-22 ${hour}:${minute}:00.300 ${zone} [7] LOG:  third`,
      ),
    ];
    assert.deepEqual(ordered(logs, timeZone), ["first", 'second"', "third"], zone);
  }
});

test("no line is lost, and each log keeps its own order, whatever stands in it", () => {
  const time = fc.integer({ min: 100, max: 999 }).map((ms) => `2026-11-22 12:00:00.${ms} UTC [1] `);
  const texts = fc.array(fc.oneof(time, fc.string()), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(texts, { maxLength: 4 }), (all) => {
      const logs = all.map((lines, at) => log(`t-${at}`, ...lines));
      const merged = inOrderOfTime(logs, "UTC");
      for (const [at, lines] of all.entries())
        assert.deepEqual(
          merged.filter(({ member }) => member === `t-${at}`).map(({ text }) => text),
          lines,
        );
      assert.equal(merged.length, logs.flat().length);
    }),
  );
});
