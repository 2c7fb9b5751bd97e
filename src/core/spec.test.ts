import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { API_VERSION, isMajor, parseSpec, SUPPORTED_MAJORS } from "./spec.ts";

function documentWith(postgres: unknown): unknown {
  return {
    apiVersion: API_VERSION,
    kind: "PostgresCluster",
    metadata: { name: "demo" },
    spec: { postgres },
  };
}

describe("a specification", () => {
  it("needs no more than a major version; the rest has defaults", () => {
    const { spec } = parseSpec(documentWith({ major: 15 }));
    assert.deepEqual(spec.postgres, { major: 15, parameters: {}, preload: [], locale: "C.UTF-8" });
  });

  it("knows the majors from 10 to 18 and no others", () => {
    assert.deepEqual([...SUPPORTED_MAJORS], [10, 11, 12, 13, 14, 15, 16, 17, 18]);
    for (const major of [9, 19, 15.5, Number.NaN]) assert.equal(isMajor(major), false);
    for (const major of [9, "15", null])
      assert.throws(() => parseSpec(documentWith({ major })), {
        code: "SPEC_CORRUPT",
        message: /at "spec\.postgres\.major": is no supported PostgreSQL major version/,
      });
  });

  it("is refused with the name of the wrong field", () => {
    const wrong = { major: 15, parameters: { work_mem: 4 } };
    assert.throws(() => parseSpec(documentWith(wrong)), {
      code: "SPEC_CORRUPT",
      message: /spec\.postgres\.parameters\.work_mem/,
    });
    assert.throws(() => parseSpec({ ...Object(documentWith({ major: 15 })), kind: "Pod" }), {
      code: "SPEC_CORRUPT",
      message: /at "kind"/,
    });
    for (const document of [null, [], "text", 7])
      assert.throws(() => parseSpec(document), { code: "SPEC_CORRUPT" });
  });
});
