// Whether everything that the load's clients were promised is there: again and again on the
// primary, of the newest rows, and at the end on every member, of all.
import { hostsOf, type Load } from "../../src/local/drill/load.ts";
import { connectTo } from "../../src/local/drill/app-client.ts";
import {
  acceptedTwice,
  missingRows,
  type Acknowledgement,
} from "../../src/local/drill/statistics.ts";
import { presentRows } from "../../src/local/drill/table.ts";
import type { ClusterRecord } from "../../src/core/record.ts";
import type { LocalCluster } from "../../src/local/cluster.ts";

const COUNT_LIMIT_MS = 60_000;

export interface RowFindings {
  readonly acknowledged: number;
  readonly missing: readonly Acknowledgement[];
  readonly repeated: number;
  readonly doubled: readonly Acknowledgement[];
}

/** @param of.from the first acknowledgement that is looked at, by its place in the ledger */
export async function checkRows(
  cluster: LocalCluster,
  of: { load: Load; record: ClusterRecord; member: string; from: number },
): Promise<RowFindings> {
  // What is acknowledged while one counts may not be there yet.
  const acknowledged = of.load.ledger.acknowledged.slice(of.from);
  const host = hostsOf(of.record.members).find(({ member }) => member === of.member);
  if (host === undefined) throw new Error(`the record has no member ${of.member}`);
  const login = { password: cluster.secrets.application, limitMs: COUNT_LIMIT_MS };
  using connection = await connectTo(host, login);
  const { ranges, repeated } = await presentRows(connection.client, leastOf(acknowledged));
  return {
    acknowledged: acknowledged.length,
    missing: missingRows(acknowledged, ranges),
    repeated,
    doubled: acceptedTwice(acknowledged),
  };
}

/** The least number of each writer. */
function leastOf(rows: readonly Acknowledgement[]): ReadonlyMap<number, number> {
  const least = new Map<number, number>();
  for (const { writer, n } of rows) least.set(writer, Math.min(least.get(writer) ?? Infinity, n));
  return least;
}
