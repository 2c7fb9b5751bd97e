import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PLAIN } from "../output/look.ts";
import { renderResult, renderTag, resultToJson, type StatementResult } from "./sql-result.ts";

const RESULT: StatementResult = {
  tag: "SELECT 2",
  columns: [
    { name: "id", typeOid: 23 },
    { name: "name", typeOid: 25 },
    { name: "?column?", typeOid: 16 },
    { name: "?column?", typeOid: 20 },
  ],
  rows: [
    ["7", "日本\n\u001b[2J", "t", "9223372036854775807"],
    ["1234", null, "f", "12"],
  ],
};

describe("the answer of a statement", () => {
  it("is a table as psql aligns it, NULL shown, and nothing in it commands the terminal", () => {
    assert.equal(
      renderResult(RESULT, PLAIN),
      [
        "  id  name             ?column?             ?column?",
        "----  ---------------  --------  -------------------",
        "   7  日本\\n\\u001b[2J  t         9223372036854775807",
        "1234  NULL             f                          12",
      ].join("\n"),
    );
    assert.equal(renderTag(RESULT), "(2 rows)");
  });

  it("is only its tag where there are no columns", () => {
    const created = { tag: "CREATE TABLE", columns: [], rows: [] };
    assert.equal(renderResult(created, PLAIN), "");
    assert.equal(renderTag(created), "CREATE TABLE");
  });

  it("keeps every digit, NULL and twice-named column in JSON", () => {
    assert.deepEqual(resultToJson(RESULT), [
      { id: 7, name: "日本\n\u001b[2J", "?column?": true, "?column?_2": "9223372036854775807" },
      { id: 1234, name: null, "?column?": false, "?column?_2": 12 },
    ]);
  });

  it("gives json columns as they are and numbers that are none as text", () => {
    const result: StatementResult = {
      tag: "SELECT 1",
      columns: [
        { name: "j", typeOid: 3802 },
        { name: "f", typeOid: 701 },
        { name: "n", typeOid: 1700 },
        { name: "__proto__", typeOid: 25 },
      ],
      rows: [['{"a": [1]}', "NaN", "1.10", "x"]],
    };
    const [row] = resultToJson(result);
    assert.equal(JSON.stringify(row), '{"j":{"a":[1]},"f":"NaN","n":"1.10","__proto__":"x"}');
  });
});
