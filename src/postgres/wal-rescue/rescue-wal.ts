// Brings what a dead server's disk still holds within a standby's reach: copies the segments that
// it lacks to its spool, from where its restore_command fetches them at its next look. Whoever
// calls waits until the standby has replayed to the end, and only then promotes it: drain, prove,
// promote (postgres-facts, 1).
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, assert, codeOf, messageOf } from "../../core/errors.ts";
import { explainFull, requireSpace } from "../base-backup/disk-space.ts";
import { realPathOf } from "../real-path.ts";
import { type Needed, judgeRescue, refusalOfLive } from "./judge.ts";
import { type Refusal, type RescueOutcome, type RescueRequest, refused } from "./outcome.ts";
import { historiesToRescue, segmentsToRescue } from "./plan.ts";
import { segmentProblem } from "./same-wal.ts";
import { addToSpool, clearSpool, openSpool } from "./spool.ts";

/**
 * Fills the spool. The rules of postgres-facts, 1, and how each is held:
 *
 * - The spool is empty but between a rescue and its promotion: it is emptied first, and again when
 *   this refuses, fails or is aborted. After the promotion, before each start and before any other
 *   end of recovery the caller calls clearSpool.
 * - Only copies of a server with no process left: looked for before, and again after the copying.
 * - A restored segment replaces the standby's own: so only WAL that ends beyond the standby's
 *   position is copied, and of the segment that holds the position both must have the same bytes up
 *   to there. This also tells two forks of one number apart.
 * - Same system identifier, and the standby within the history of the dead server's timeline. That
 *   the dead server led in the newest term is for the caller to know.
 * - Nothing half copied is ever seen (addToSpool), and nothing behind a gap: segments appear in
 *   their order. Histories come after them, so that a standby never aims at a timeline whose WAL is
 *   not there yet.
 *
 * A second call begins anew and ends alike. An idle standby looks each
 * wal_retrieve_retry_interval; SIGHUP to its postmaster has it look at once. Its receive position
 * does not move with what it fetches, only its replay does.
 * @throws UnderstudyError DISK_FULL when there is no room for it, DATA_UNREADABLE when a control
 * file, a history or WAL cannot be read; or the signal's reason. The spool is empty then, but
 * after DIRECTORY_NOT_WRITABLE, which clearSpool throws.
 */
export async function rescueWal(request: RescueRequest): Promise<RescueOutcome> {
  const { deadDataDir, standbyDataDir, spoolDir, signal } = request;
  assert(
    realPathOf(deadDataDir) !== realPathOf(standbyDataDir),
    `${standbyDataDir} is not rescued from itself`,
  );
  try {
    await openSpool(spoolDir);
    const judged = await judgeRescue(request);
    if (judged.kind !== "needed") return judged;
    const filled = await fill(request, judged);
    const alive = filled.kind === "filled" ? refusalOfLive(deadDataDir) : null;
    if (alive !== null) await clearSpool(spoolDir);
    return alive ?? filled;
  } catch (cause) {
    await clearSpool(spoolDir);
    signal.throwIfAborted();
    throw await explain(cause, request);
  }
}

async function fill(request: RescueRequest, needed: Needed): Promise<RescueOutcome> {
  const { deadDataDir, standbyDataDir, spoolDir, signal } = request;
  const { history, endLsn, segmentBytes } = needed.range;
  const segments = segmentsToRescue(needed.range);
  for (const { name, start } of segments) {
    const path = walFile(deadDataDir, name);
    const problem = await segmentProblem({ path, start, segmentBytes, systemId: needed.systemId });
    if (problem !== null) return refused("missing", `the standby needs ${path}, which ${problem}`);
  }
  const histories = await neededHistories(request, needed);
  if ("kind" in histories) return histories;
  const bytes = segments.length * segmentBytes;
  // Once in the spool, and once more where the standby keeps what it has fetched.
  await requireSpace([
    { path: spoolDir, bytes, what: "WAL" },
    { path: join(standbyDataDir, "pg_wal"), bytes, what: "WAL" },
  ]);
  if (needed.knownTimeline !== history.timeline) await request.leaveUpstream();
  for (const { name, start } of segments) {
    signal.throwIfAborted();
    const wanted = Math.min(segmentBytes, Number(endLsn) - start);
    const segment = { bytes: segmentBytes, wanted };
    await addToSpool(spoolDir, { name, from: walFile(deadDataDir, name), segment });
  }
  for (const name of histories)
    await addToSpool(spoolDir, { name, from: walFile(deadDataDir, name) });
  const files = [...segments.map(({ name }) => name), ...histories];
  return { kind: "filled", endLsn, timeline: history.timeline, files, bytes };
}

/**
 * Those that the standby does not have itself. One that neither has would hide the newer ones from
 * it, and one that both have must be the same.
 */
async function neededHistories(
  request: RescueRequest,
  needed: Needed,
): Promise<readonly string[] | Refusal> {
  const names: string[] = [];
  const { history } = needed.range;
  for (const name of historiesToRescue({ known: needed.knownTimeline, newest: history.timeline })) {
    const own = await readIfThere(walFile(request.standbyDataDir, name));
    const theirs = await readIfThere(walFile(request.deadDataDir, name));
    if (own === null && theirs === null)
      return refused(
        "missing",
        `the standby needs ${walFile(request.deadDataDir, name)}, which is not there`,
      );
    if (own !== null && theirs !== null && own !== theirs)
      return refused("timelines", `${name} of the standby and of the dead server differ`);
    if (own === null) names.push(name);
  }
  return names;
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw cause;
  }
}

async function explain(cause: unknown, request: RescueRequest): Promise<unknown> {
  const reason = await explainFull(cause, { path: request.spoolDir, bytes: 0, what: "WAL" });
  return reason instanceof UnderstudyError
    ? reason
    : new UnderstudyError(
        "DATA_UNREADABLE",
        `cannot copy WAL of ${request.deadDataDir} to ${request.spoolDir}: ${messageOf(cause)}`,
        { cause, details: { code: codeOf(cause) ?? null } },
      );
}

function walFile(dataDir: string, name: string): string {
  return join(dataDir, "pg_wal", name);
}
