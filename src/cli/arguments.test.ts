import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  parseDuration,
  parseMajor,
  parseParameter,
  parsePort,
  parsePreload,
  parseStandbys,
} from "./arguments.ts";

describe("values on the command line", () => {
  it("takes 0 to 16 standbys and refuses everything else in one sentence", () => {
    assert.equal(parseStandbys("0"), 0);
    assert.equal(parseStandbys("16"), 16);
    for (const text of ["-1", "x", "200", "17", "1.5", "", " 2", "0x2", "1e1"])
      assert.throws(() => parseStandbys(text), {
        code: "USAGE",
        message: `--standbys ${JSON.stringify(text)} is no whole number from 0 to 16`,
      });
  });

  it("takes ports above the privileged ones", () => {
    assert.equal(parsePort("6431"), 6431);
    for (const text of ["0", "80", "65536", "http"])
      assert.throws(() => parsePort(text), { code: "USAGE" });
  });

  it("takes a major version, or a version of it", () => {
    assert.equal(parseMajor("10"), 10);
    assert.equal(parseMajor("15.18"), 15);
    for (const text of ["9", "9.6", "19", "latest", "-15", ""])
      assert.throws(() => parseMajor(text), { code: "MAJOR_UNKNOWN", hint: /10, 11/ });
  });

  it("reads durations with units, and bare seconds", () => {
    const expected = {
      "500ms": 500,
      "30s": 30_000,
      "1.5": 1500,
      "5m": 300_000,
      "2min": 120_000,
      "1h": 3_600_000,
    };
    for (const [text, ms] of Object.entries(expected)) assert.equal(parseDuration(text), ms);
    for (const text of ["0", "-5s", "soon", "5 m", "9999h", ""])
      assert.throws(() => parseDuration(text), { code: "USAGE" });
  });

  it("collects parameters; a value may hold anything, a name may not", () => {
    const first = parseParameter("work_mem=64MB");
    assert.deepEqual(parseParameter("Search_Path=a=b, c", first), {
      work_mem: "64MB",
      search_path: "a=b, c",
    });
    for (const text of ["work_mem", "=1", "a b=1", "a'=1", "a\nb=1"])
      assert.throws(() => parseParameter(text), { code: "USAGE" });
  });

  it("takes a parameter apart at the first equals sign", () => {
    assert.deepEqual(parseParameter("search_path=a=b"), { search_path: "a=b" });
    assert.deepEqual(parseParameter(" work_mem = 8MB "), { work_mem: "8MB" });
    assert.deepEqual(parseParameter("archive_command="), { archive_command: "" });
    for (const text of ["work_mem", "=8MB", ""])
      assert.throws(() => parseParameter(text), { code: "USAGE" });
  });

  it("collects libraries once each, in order", () => {
    const first = parsePreload("timescaledb");
    assert.deepEqual(parsePreload("pg_stat_statements,timescaledb", first), [
      "timescaledb",
      "pg_stat_statements",
    ]);
    assert.throws(() => parsePreload("a'b"), { code: "USAGE" });
  });
});
