// The pure parts of checking a user's parameters.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseComplaint } from "./ask-server.ts";
import { comparePreloadVersions } from "./check-preload.ts";
import { catalogFromRows, describeRange, parseDescribeConfig } from "./describe-parameters.ts";
import { accepts, checkExtensionParameter } from "./extension-parameter.ts";
import { editDistance, nearestName } from "./nearest-name.ts";
import { parameterWarnings } from "./parameter-warnings.ts";

test("the server's list of parameters is read by its tabs", () => {
  const catalog = parseDescribeConfig(
    "work_mem\tuser\tMemory\tINTEGER\t0\t64\t2147483647\tSets it.\tMore.\n" +
      "TimeZone\tuser\tFormatting\tSTRING\tGMT\t\t\tSets it.\t\n",
  );
  assert.equal(catalog.get("timezone")?.name, "TimeZone");
  assert.deepEqual(catalog.get("work_mem"), {
    name: "work_mem",
    type: "integer",
    context: "user",
    unit: null,
    min: "64",
    max: "2147483647",
    values: null,
  });
});

test("a complaint is the first thing the server says, with its detail and hint", () => {
  const stderr = `2026-11-22 12:26:42.040 GMT [1] LOG:  skipping missing configuration file "/x"
2026-11-22 12:26:42.040 GMT [1] LOG:  invalid value for parameter "wal_level": "foo"
2026-11-22 12:26:42.040 GMT [1] HINT:  Available values: minimal, replica, logical.
2026-11-22 12:26:42.040 GMT [1] FATAL:  configuration file "/x" contains errors`;
  assert.deepEqual(parseComplaint(stderr), {
    message: 'invalid value for parameter "wal_level": "foo"',
    detail: null,
    hint: "Available values: minimal, replica, logical.",
  });
  assert.equal(parseComplaint("Segmentation fault\n").message, "Segmentation fault");
});

test("a swap of two letters is one change, as a missing one is", () => {
  assert.equal(editDistance("wrok_mem", "work_mem"), 1);
  assert.equal(editDistance("workmem", "work_mem"), 1);
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(nearestName("wrok_mem", ["port", "work_mem", "wal_level"]), "work_mem");
  assert.equal(nearestName("TIMEZON", ["TimeZone"]), "TimeZone");
  assert.equal(nearestName("zzzzzzzz", ["port", "work_mem"]), null);
});

test("the distance of two words is no less than their lengths differ and no more than the longer", () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(word, word, (from, to) => {
      const distance = editDistance(from, to);
      assert.equal(distance, editDistance(to, from));
      assert.equal(distance === 0, from === to);
      assert.ok(distance >= Math.abs(from.length - to.length));
      assert.ok(distance <= Math.max(from.length, to.length));
    }),
  );
});

test("an extension's parameter needs its library", () => {
  const parameter = { name: "pg_stat_statements.max", value: "5", description: undefined };
  assert.throws(() => checkExtensionParameter({ ...parameter, preload: [] }), {
    code: "PARAMETER_UNKNOWN",
    hint: "Preload it: --preload pg_stat_statements",
  });
  checkExtensionParameter({ ...parameter, preload: ["pg_stat_statements"] });
  checkExtensionParameter({ ...parameter, name: "cron.database_name", preload: ["pg_cron"] });
  checkExtensionParameter({ ...parameter, name: "plpgsql.variable_conflict", preload: [] });
});

test("an extension's parameter is held to what a running server says of it", () => {
  const row = { context: "user", unit: null, min_val: null, max_val: null, enumvals: null };
  const catalog = catalogFromRows([
    { ...row, name: "x.max", vartype: "integer", unit: "kB", min_val: "100", max_val: "200" },
    { ...row, name: "x.track", vartype: "enum", enumvals: ["none", "top", "all"] },
    { ...row, name: "x.save", vartype: "bool" },
    { ...row, name: "x.ratio", vartype: "real", min_val: "0", max_val: "1" },
  ]);
  const check = (name: string, value: string) =>
    checkExtensionParameter({ name, value, preload: ["x"], description: catalog.get(name) });
  const good = [
    ["x.max", "150"],
    ["x.max", "1MB"],
    ["x.track", "TOP"],
    ["x.save", "of"],
    ["x.save", "t"],
    ["x.ratio", ".5"],
  ] as const;
  for (const [name, value] of good) check(name, value);
  const bad = [
    ["x.max", "99"],
    ["x.max", "abc"],
    ["x.max", "1 parsec"],
    ["x.track", "some"],
    ["x.save", "o"],
    ["x.ratio", "1.5"],
    ["x.ratio", "1s"],
  ] as const;
  for (const [name, value] of bad)
    assert.throws(() => check(name, value), { code: "PARAMETER_INVALID" }, `${name}=${value}`);
  const max = catalog.get("x.max");
  assert.equal(max && describeRange(max), "an integer from 100 to 200 in units of kB");
  const track = catalog.get("x.track");
  assert.equal(track && accepts(track, "all"), true);
});

test("what loses data or fills a disk is allowed with one sentence", () => {
  assert.equal(parameterWarnings({ synchronous_commit: "off" }).length, 1);
  assert.equal(parameterWarnings({ max_slot_wal_keep_size: "-1" }).length, 1);
  assert.deepEqual(parameterWarnings({ synchronous_commit: "remote_apply", work_mem: "0" }), []);
});

test("two versions of one library are told apart by member", () => {
  const library = { name: "timescaledb", version: "2.19.0" };
  comparePreloadVersions(
    new Map([
      ["demo-1", [library]],
      ["demo-2", [library]],
    ]),
  );
  assert.throws(
    () =>
      comparePreloadVersions(
        new Map([
          ["demo-1", [library]],
          ["demo-2", [{ ...library, version: "2.20.1" }]],
        ]),
      ),
    {
      code: "PRELOAD_DIFFERS",
      message: "timescaledb has version 2.19.0 on demo-1 and 2.20.1 on demo-2",
    },
  );
});
