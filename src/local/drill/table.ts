// The drill's own schema in the application's database: made, written, compared with what was
// promised, and removed.
import type { Client } from "pg";
import { UnderstudyError } from "../../core/errors.ts";
import type { AppConnection } from "./app-client.ts";
import type { Acknowledgement, RowRange } from "./statistics.ts";

export const DRILL_SCHEMA = "understudy_drill";
/** By this a schema of that name is known to be a drill's, and may be removed. */
const MARK = "made by understudy drill";

type Row = Omit<Acknowledgement, "atMs">;

/**
 * Removes what an earlier drill may have left.
 * @throws UnderstudyError REFUSED when somebody else has a schema of that name.
 */
export async function makeTable(client: Client): Promise<void> {
  await dropTable(client);
  await client.query(
    `CREATE SCHEMA ${DRILL_SCHEMA};
     COMMENT ON SCHEMA ${DRILL_SCHEMA} IS '${MARK}';
     CREATE TABLE ${DRILL_SCHEMA}.written (writer int NOT NULL, n bigint NOT NULL)`,
  );
}

/** @returns whether there was one. @throws UnderstudyError REFUSED as makeTable does. */
export async function dropTable(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ mark: string | null }>(
    `SELECT pg_catalog.obj_description(oid, 'pg_namespace') AS mark
       FROM pg_catalog.pg_namespace WHERE nspname = $1`,
    [DRILL_SCHEMA],
  );
  const [found] = rows;
  if (found === undefined) return false;
  if (found.mark !== MARK)
    throw new UnderstudyError(
      "REFUSED",
      `the application's database has a schema ${DRILL_SCHEMA} that no drill made; it is not touched`,
      { hint: "Rename that schema, then repeat." },
    );
  await client.query(`DROP SCHEMA ${DRILL_SCHEMA} CASCADE`);
  return true;
}

/** Returns when it is acknowledged, with the timeline on which it was accepted. */
export async function insertRow(
  { client, member }: AppConnection,
  row: { writer: number; n: number },
): Promise<Row> {
  // The first eight digits of a WAL file's name are the timeline (manual, 9.27.3).
  const { rows } = await client.query<{ timeline: string }>(
    `INSERT INTO ${DRILL_SCHEMA}.written (writer, n) VALUES ($1, $2)
     RETURNING left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8) AS timeline`,
    [row.writer, row.n],
  );
  return { ...row, member, timeline: Number.parseInt(rows[0]?.timeline ?? "", 16) };
}

export async function readSomething({ client }: AppConnection): Promise<void> {
  await client.query(`SELECT n FROM ${DRILL_SCHEMA}.written LIMIT 1`);
}

/**
 * Everything that a member has of the drill's rows, and how many are there more than once.
 * @param from of each writer, the least number that is wanted: all of all others
 */
export async function presentRows(
  client: Client,
  from: ReadonlyMap<number, number> = new Map(),
): Promise<{ ranges: readonly RowRange[]; repeated: number }> {
  const { rows: known } = await client.query<{ is_there: boolean }>(
    `SELECT pg_catalog.to_regclass('${DRILL_SCHEMA}.written') IS NOT NULL AS is_there`,
  );
  if (known[0]?.is_there !== true) return { ranges: [], repeated: 0 };
  const { rows } = await client.query<Record<"writer" | "first" | "last" | "more", string>>(
    `SELECT writer, min(n) AS first, max(n) AS last, sum(times - 1) AS more
       FROM (SELECT writer, n, times, n - row_number() OVER (PARTITION BY writer ORDER BY n) AS run
               FROM (SELECT writer, n, count(*) AS times
                       FROM ${DRILL_SCHEMA}.written
                       LEFT JOIN unnest($1::int[], $2::bigint[]) AS wanted (writer, least)
                            USING (writer)
                      WHERE n >= coalesce(least, 0)
                      GROUP BY writer, n) AS each) AS one
      GROUP BY writer, run`,
    [[...from.keys()], [...from.values()]],
  );
  return {
    ranges: rows.map(({ writer, first, last }) => ({
      writer: Number(writer),
      first: Number(first),
      last: Number(last),
    })),
    repeated: rows.reduce((sum, { more }) => sum + Number(more), 0),
  };
}
