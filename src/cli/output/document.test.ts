import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { Secret } from "../../core/secret.ts";
import { formatAnswer, OUTPUT_FORMATS, parseOutputFormat } from "./document.ts";
import { PLAIN } from "./look.ts";

const ANSWER = {
  document: { lsn: "0/3000060", lagBytes: 0, gone: null, password: new Secret("hunter2") },
  table: (_look: unknown, wide: boolean) => (wide ? "WIDE" : "NARROW"),
  names: () => ["a", "b"],
};

function as(format: (typeof OUTPUT_FORMATS)[number]): Promise<string> {
  return formatAnswer(ANSWER, { format, look: PLAIN });
}

describe("an answer", () => {
  it("takes the form that was asked for", async () => {
    assert.equal(await as("table"), "NARROW\n");
    assert.equal(await as("wide"), "WIDE\n");
    assert.equal(await as("name"), "a\nb\n");
    const expected = { lsn: "0/3000060", lagBytes: 0, gone: null, password: "***" };
    assert.deepEqual(JSON.parse(await as("json")), expected);
    assert.deepEqual(parse(await as("yaml")), expected);
  });

  it("is nothing at all where there is nothing to say", async () => {
    const silent = { document: [], table: () => "", names: () => [] };
    assert.equal(await formatAnswer(silent, { format: "name", look: PLAIN }), "");
  });

  it("refuses a form that there is not, naming those that there are", () => {
    assert.throws(() => parseOutputFormat("xml"), { code: "USAGE", message: /table, wide, json/ });
  });
});
