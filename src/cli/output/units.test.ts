import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { counted, formatBytes, formatSeconds, listed } from "./units.ts";

describe("figures for people", () => {
  it("shows bytes in powers of 1,024 with one decimal below ten", () => {
    const expected: [number | null, string][] = [
      [0, "0 B"],
      [1023, "1023 B"],
      [1024, "1 KiB"],
      [1536, "1.5 KiB"],
      [16 * 1024 ** 2, "16 MiB"],
      [1024 ** 2 - 1, "1 MiB"],
      [1.2 * 1024 ** 3, "1.2 GiB"],
      [null, "unknown"],
    ];
    for (const [bytes, text] of expected) assert.equal(formatBytes(bytes), text);
  });

  it("never shows 1,024 of a unit, and stays within six per cent of the truth", () => {
    const factors: Record<string, number> = {
      B: 1,
      KiB: 2 ** 10,
      MiB: 2 ** 20,
      GiB: 2 ** 30,
      TiB: 2 ** 40,
    };
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2 ** 49, noNaN: true }).map(Math.floor), (bytes) => {
        const [figure = "", unit = ""] = formatBytes(bytes).split(" ");
        assert.ok(Number(figure) < 1024);
        const shown = Number(figure) * (factors[unit] ?? Number.NaN);
        assert.ok(Math.abs(shown - bytes) <= bytes * 0.06, `${bytes} as ${figure} ${unit}`);
      }),
    );
  });

  it("shows seconds up to two minutes, then minutes, hours and days", () => {
    const expected: [number | null, string][] = [
      [0, "0 s"],
      [0.68, "0.7 s"],
      [9.97, "10 s"],
      [75, "75 s"],
      [119.7, "2 min"],
      [180, "3 min"],
      [7200, "2 h"],
      [200_000, "2 d"],
      [null, "unknown"],
    ];
    for (const [seconds, text] of expected) assert.equal(formatSeconds(seconds), text);
  });

  it("counts and lists in words", () => {
    assert.equal(counted(1, "standby"), "1 standby");
    assert.equal(counted(0, "standby"), "0 standbys");
    assert.equal(listed([]), "");
    assert.equal(listed(["a"]), "a");
    assert.equal(listed(["a", "b", "c"]), "a, b and c");
  });
});
