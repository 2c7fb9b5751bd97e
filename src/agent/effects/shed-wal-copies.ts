// One of the small things that a primary and its standbys do on each steady pass: copies of WAL
// that promotions leave behind do not pile up. What is to be done is decided in
// core/protocol/wal-copies.ts; it is PostgreSQL itself that removes files, and none that a slot, a
// restart or wal_keep_size holds.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import { parseLsn, type Lsn } from "../../core/lsn.ts";
import { CROWDED, countCopies, planForCopies } from "../../core/protocol/wal-copies.ts";
import { readControlData } from "../../postgres/control-data.ts";
import type { Member } from "../member.ts";

const CHECKPOINT_LIMIT_MS = 300_000;
const MIB = 1024 ** 2;

type Shedding = Pick<Member, "paths" | "session" | "longSession" | "log">;

/** What goes wrong is no reason for the pass to fail: the next one tries again. */
export async function shedWalCopies(member: Shedding): Promise<void> {
  try {
    await shed(member);
  } catch (thrown) {
    const message = messageOf(thrown);
    member.log.write({ event: "wal-copies-not-shed", level: "warning", message });
  }
}

async function shed({ paths, session, longSession }: Shedding): Promise<void> {
  const wal = join(paths.data, "pg_wal");
  const names = await readdir(wal);
  // As good as always.
  if (countCopies(names) < CROWDED - 1) return;
  const { walSegmentBytes: segmentBytes, redoLsn } = await readControlData(paths.data);
  const { leavesSegment, checkpoints } = planForCopies({
    ...(await askServer({ session }, segmentBytes)),
    names,
    unarchived: await unarchivedIn(wal),
    redoLsn,
    segmentBytes,
  });
  if (leavesSegment) await session.query("SELECT pg_switch_wal()");
  // Nobody waits for it, and there is never more than one.
  if (checkpoints && longSession.isIdle)
    void longSession.once("CHECKPOINT", { timeoutMs: CHECKPOINT_LIMIT_MS }).catch(() => {});
}

interface Answer extends Record<string, unknown> {
  readonly inRecovery: boolean;
  readonly endLsn: string | null;
  readonly held: readonly string[];
  readonly kept: { readonly value: number; readonly unit: string | null };
}

async function askServer(
  { session }: Pick<Member, "session">,
  segmentBytes: number,
): Promise<{ isPrimary: boolean; endLsn: Lsn; heldFrom: Lsn | null; keptSegments: number }> {
  const [row] = await session.query<Answer>(`
SELECT r AS "inRecovery",
       CASE WHEN r THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
            ELSE pg_current_wal_lsn() END::text AS "endLsn",
       ARRAY(SELECT restart_lsn::text FROM pg_replication_slots
              WHERE restart_lsn IS NOT NULL) AS held,
       (SELECT json_build_object('value', setting::int, 'unit', unit) FROM pg_settings
         WHERE name IN ('wal_keep_segments', 'wal_keep_size')) AS kept
  FROM (SELECT pg_is_in_recovery() AS r) AS recovery`);
  if (row === undefined || row.endLsn === null) throw new Error("the end of its WAL is not known");
  const { inRecovery, endLsn, held, kept } = row;
  // In megabytes since 13, a number of segments before.
  const keptSegments =
    kept.unit === null ? kept.value : Math.ceil((kept.value * MIB) / segmentBytes);
  const heldFrom = held.map(parseLsn).toSorted((one, other) => (one < other ? -1 : 1))[0] ?? null;
  return { isPrimary: !inRecovery, endLsn: parseLsn(endLsn), heldFrom, keptSegments };
}

/** Where nothing is archived, nothing waits. */
async function unarchivedIn(wal: string): Promise<ReadonlySet<string>> {
  const states = await readdir(join(wal, "archive_status")).catch(() => []);
  return new Set(
    states.filter((name) => name.endsWith(".ready")).map((name) => name.slice(0, -".ready".length)),
  );
}
