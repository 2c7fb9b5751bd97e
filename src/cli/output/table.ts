// Tables: upper-case headers, two spaces between columns, no frame. Nothing is ever cut, so that
// awk works; on a terminal that is too narrow the least important columns are left out instead.
import { paint, type Look, type Tone } from "./look.ts";
import { displayWidth, padTo } from "./text.ts";

export interface Column<Row> {
  readonly header: string;
  readonly text: (row: Row) => string;
  readonly tone?: (row: Row) => Tone;
  /** Default "left". */
  readonly align?: "left" | "right";
  /** The higher, the earlier it is left out on a narrow terminal; without it, never. */
  readonly drop?: number;
}

export function renderTable<Row>(
  table: { columns: readonly Column<Row>[]; rows: readonly Row[]; indent?: string },
  look: Look,
): string {
  const { rows, indent = "" } = table;
  const columns = fitColumns({ ...table, width: look.width });
  const widths = columns.map((column) => widthOf(column, rows));
  const line = (cells: readonly { text: string; tone: Tone }[]): string =>
    cells
      .map((cell, at) => {
        const column = columns[at];
        const padded = padTo(cell.text, {
          width: widths[at] ?? 0,
          align: column?.align ?? "left",
        });
        return paint(look, cell.tone, at === columns.length - 1 ? padded.trimEnd() : padded);
      })
      .join("  ")
      .trimEnd();
  const header = line(columns.map((column) => ({ text: column.header, tone: "dim" })));
  const body = rows.map((row) =>
    line(
      columns.map((column) => ({ text: column.text(row), tone: column.tone?.(row) ?? "plain" })),
    ),
  );
  return [header, ...body].map((each) => indent + each).join("\n");
}

/** The columns that fit into the width; all of them where there is no width. */
export function fitColumns<Row>(table: {
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  indent?: string;
  width: number | null;
}): readonly Column<Row>[] {
  const { width } = table;
  let columns = table.columns;
  if (width === null) return columns;
  const indent = displayWidth(table.indent ?? "");
  const needed = () =>
    columns.reduce((sum, column) => sum + widthOf(column, table.rows) + 2, indent - 2);
  while (needed() > width) {
    const next = columns.reduce<Column<Row> | undefined>(
      (worst, column) => ((column.drop ?? 0) > (worst?.drop ?? 0) ? column : worst),
      undefined,
    );
    if (next === undefined) break;
    columns = columns.filter((column) => column !== next);
  }
  return columns;
}

function widthOf<Row>(column: Column<Row>, rows: readonly Row[]): number {
  return rows.reduce(
    (widest, row) => Math.max(widest, displayWidth(column.text(row))),
    displayWidth(column.header),
  );
}
