// Each promotion copies the segment of WAL that it happens in to a new timeline, and PostgreSQL
// removes all of these copies only when WAL has gone on to later segments. On a cluster that writes
// little and fails over often they pile up: 16 MB with each. So a primary goes on to the next
// segment when there are several.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import type { Member } from "../member.ts";

/** Seldom enough: the rest of the segment is sent to every standby. */
const CROWDED = 8;

/** One look of a primary. What goes wrong is no reason for its pass to fail. */
export async function leaveCrowdedSegment(
  member: Pick<Member, "paths" | "session" | "log">,
): Promise<void> {
  try {
    const [row] = await member.session.query<{ name: string }>(
      "SELECT pg_walfile_name(pg_current_wal_lsn()) AS name",
    );
    const names = await readdir(join(member.paths.data, "pg_wal"));
    if (row === undefined || copiesOf(row.name, names) < CROWDED) return;
    await member.session.query("SELECT pg_switch_wal()");
  } catch (thrown) {
    const message = messageOf(thrown);
    member.log.write({ event: "segment-not-left", level: "warning", message });
  }
}

/** Those of all timelines: the first eight digits of a name are the timeline. */
function copiesOf(name: string, names: readonly string[]): number {
  return names.filter((each) => each.length === name.length && each.endsWith(name.slice(8))).length;
}
