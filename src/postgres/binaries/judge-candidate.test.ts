import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { type Major, SUPPORTED_MAJORS, isMajor } from "../../core/spec.ts";
import { type ProbedPlace, chooseNewest, compareVersions, objectionTo } from "./judge-candidate.ts";

const FAMILIES = ["linux-glibc-x64-icu72", "linux-glibc-x64-icu60"];

function place(binDir: string, version: string, family = "linux-glibc-x64-icu72"): ProbedPlace {
  const major = Number.parseInt(version, 10);
  assert.ok(isMajor(major));
  const directories = { shareDir: "/share", libDir: "/lib" };
  const probed = { binDir, major, version, family, tools: [], ...directories };
  return { binDir, source: "system", foundBy: "on PATH", probed };
}

const broken: ProbedPlace = {
  binDir: "/broken",
  source: "system",
  foundBy: "on PATH",
  probed: { unusable: "postgres does not run: libicui18n.so.60 is missing", missing: [] },
};

const places = fc.array(
  fc
    .record({
      major: fc.constantFrom(...SUPPORTED_MAJORS),
      minor: fc.nat(30),
      family: fc.constantFrom(...FAMILIES),
      at: fc.nat(1000),
    })
    .map(({ major, minor, family, at }) => place(`/pg/${at}`, `${major}.${minor}`, family)),
  { maxLength: 12 },
);
const wanted = fc.record(
  { major: fc.constantFrom<Major>(...SUPPORTED_MAJORS), family: fc.constantFrom(...FAMILIES) },
  { requiredKeys: [] },
);

describe("the choice among installations", () => {
  it("is the newest that fits, whatever else is there", () => {
    fc.assert(
      fc.property(places, wanted, (found, asked) => {
        const chosen = chooseNewest([broken, ...found], asked);
        const fitting = found.filter(({ probed }) => objectionTo(probed, asked) === undefined);
        if (chosen === undefined) return assert.deepEqual(fitting, []);
        assert.equal(objectionTo(chosen.probed, asked), undefined);
        for (const { probed } of fitting)
          assert.ok(compareVersions(chosen.probed.version, String(probed.version)) >= 0);
      }),
    );
  });

  it("takes the first of two that are equally new", () => {
    const chosen = chooseNewest([place("/first", "15.20"), place("/second", "15.20")], {});
    assert.equal(chosen?.binDir, "/first");
  });

  it("counts 15.20 newer than 15.9, and a release newer than its candidates", () => {
    assert.ok(compareVersions("15.20", "15.9") > 0);
    assert.ok(compareVersions("18.0", "18rc1") > 0);
    assert.ok(compareVersions("16.1", "15.20") > 0);
    assert.equal(compareVersions("10.23", "10.23"), 0);
  });

  it("says why an installation does not fit", () => {
    const { probed } = place("/pg", "15.20");
    assert.equal(objectionTo(probed, { major: 16 }), "it is PostgreSQL 15.20 but 16 is wanted");
    assert.match(objectionTo(probed, { family: "linux-musl-x64-icu74" }) ?? "", /its build is/);
    assert.match(objectionTo(broken.probed, {}) ?? "", /libicui18n\.so\.60 is missing/);
    assert.equal(objectionTo(probed, { major: 15, family: "linux-glibc-x64-icu72" }), undefined);
  });
});
