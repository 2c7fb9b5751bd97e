import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { PLAIN } from "./look.ts";
import { fitColumns, renderTable, type Column } from "./table.ts";

interface Row {
  readonly name: string;
  readonly size: number;
  readonly note: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { header: "NAME", text: (row) => row.name },
  { header: "SIZE", text: (row) => String(row.size), align: "right", drop: 1 },
  { header: "NOTE", text: (row) => row.note, drop: 2 },
];
const ROWS: readonly Row[] = [
  { name: "demo-1", size: 7, note: "first" },
  { name: "demo-10", size: 1234, note: "" },
];

function headers(width: number): string[] {
  return fitColumns({ columns: COLUMNS, rows: ROWS, width }).map((column) => column.header);
}

describe("a table", () => {
  it("has upper-case headers, two spaces, no frame and no spaces at the end", () => {
    assert.equal(
      renderTable({ columns: COLUMNS, rows: ROWS }, PLAIN),
      ["NAME     SIZE  NOTE", "demo-1      7  first", "demo-10  1234"].join("\n"),
    );
  });

  it("leaves out the least important columns on a narrow terminal", () => {
    assert.deepEqual(headers(20), ["NAME", "SIZE", "NOTE"]);
    assert.deepEqual(headers(19), ["NAME", "SIZE"]);
    assert.deepEqual(headers(12), ["NAME"]);
    assert.deepEqual(headers(2), ["NAME"]);
  });

  it("fits the width whenever what may not be dropped fits", () => {
    fc.assert(
      fc.property(fc.integer({ min: 7, max: 60 }), (width) => {
        const text = renderTable({ columns: COLUMNS, rows: ROWS }, { ...PLAIN, width });
        for (const line of text.split("\n")) assert.ok(line.length <= width);
      }),
    );
  });
});
