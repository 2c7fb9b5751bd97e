// Rewinds a stopped member whose WAL has diverged: the middle way between following and being
// copied anew. What only it had is kept first; whatever fails, the next pass copies the primary.
import { join } from "node:path";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import type { Lsn } from "../../core/lsn.ts";
import { removeMarker, writeMarker } from "../../postgres/base-backup/marker.ts";
import { readControlData, type ControlData } from "../../postgres/control-data.ts";
import { rewindObstacle, type RewindFacts } from "../../postgres/rewind/obstacle.ts";
import { rewindDataDirectory } from "../../postgres/rewind/rewind.ts";
import { prepareSource } from "../../postgres/rewind/source.ts";
import { measureTarget } from "../../postgres/rewind/target.ts";
import { missingSegment, walBytesOf, type WalPart } from "../../postgres/rewind/wal-copy.ts";
import type { UpstreamHistory } from "../../postgres/upstream-history.ts";
import { upstreamAt, type Leader, type Member } from "../member.ts";
import { keepWal } from "./data-aside.ts";
import {
  describeTransactions,
  reportOnDivergence,
  type DivergenceReport,
} from "./divergence-report.ts";
import type { EffectContext } from "./effect.ts";
import { rewindLogins } from "./rewind-role.ts";
import { isRefusal, takeRewindTurn } from "./rewind-turn.ts";
import { startAsStandby } from "./start.ts";

/** A stopped member beyond the switch point of the primary's history. */
export interface Diverged {
  readonly leader: Leader;
  readonly upstream: UpstreamHistory;
  readonly end: { readonly timeline: number; readonly endLsn: Lsn };
  readonly switchPoint: Lsn;
  readonly bytes: number;
}

/**
 * Changes nothing but that the primary may make a checkpoint.
 * @returns why the member must be copied anew, as the end of a sentence; null when a rewind may be
 * tried.
 * @throws UnderstudyError CONNECTION_FAILED when the primary has gone meanwhile; or the signal's
 * reason.
 */
export async function whyNotRewind(
  { member, signal }: Pick<EffectContext, "member" | "signal">,
  diverged: Diverged,
): Promise<string | null> {
  const { leader } = diverged;
  try {
    const facts = await factsOfTarget(member, { diverged, signal });
    const untold = { timeline: leader.timeline, tablespaces: 0 };
    // The primary is only asked where everything else is as it must be.
    const own = rewindObstacle({ ...facts, source: untold });
    if (own !== null) return own;
    const logins = rewindLogins(member, leader);
    const source = await prepareSource({ ...logins, timeline: leader.timeline, signal });
    if (source.timeline !== leader.timeline)
      return `the newest checkpoint of ${leader.name} is still on timeline ${source.timeline}`;
    return rewindObstacle({ ...facts, source });
  } catch (thrown) {
    signal.throwIfAborted();
    // No answer, as against a refusal.
    if (codeOf(thrown) === "CONNECTION_FAILED" && !isRefusal(thrown)) throw thrown;
    return messageOf(thrown);
  }
}

async function factsOfTarget(
  member: Member,
  of: { diverged: Diverged; signal: AbortSignal },
): Promise<Omit<RewindFacts, "source">> {
  const { data } = member.paths;
  const control = await readControlData(data);
  const part = walPart(member, { control, diverged: of.diverged });
  return {
    tools: member.file().installation.tools,
    target: {
      ...(await measureTarget(data, of.signal)),
      walLogHints: control.walLogHints,
      checksumVersion: control.checksumVersion,
      timeline: of.diverged.end.timeline,
    },
    divergedWalBytes: walBytesOf(part),
    missingSegment: await missingSegment(part),
  };
}

/**
 * Ends with a member that follows, or with a marker under which the next pass copies the primary;
 * or with nothing done, while it is not this member's turn.
 * @throws UnderstudyError when the diverged WAL cannot be kept (DISK_FULL), or the primary has gone
 * (CONNECTION_FAILED): nothing was changed.
 */
export async function rewind(
  context: EffectContext,
  diverged: Diverged,
  remember: () => Promise<void>,
): Promise<void> {
  const { member, record, decision, signal } = context;
  const { leader } = diverged;
  using turn = await takeRewindTurn(context, leader);
  if (turn === null) return;
  member.progress({ step: "rewinding", bytesDone: null, bytesTotal: null, remainingSeconds: null });
  const { place, report } = await keepDivergedWal(context, diverged);
  // From the next step on its data are worthless until the primary's have come.
  await turn.confirm(leader.timeline);
  const result = await rewindDataDirectory({
    target: {
      installation: member.file().installation,
      dataDir: member.paths.data,
      configFile: member.paths.configFile,
    },
    source: rewindLogins(member, leader).source,
    passfile: join(member.paths.settings, "rewind-passfile"),
    systemId: diverged.upstream.systemId,
    timeline: leader.timeline,
    signal,
  });
  if (result.kind === "failed") return reportFailure(context, { why: result.why, place });
  await remember();
  await removeMarker(member.paths.data);
  member.event({
    event: "rewound",
    rule: decision.rule,
    message: `${member.name} was rewound to where ${leader.name} left timeline ${report.timeline}, in ${result.seconds.toFixed(1)} s${result.recovered ? ", after its own crash recovery" : ""}; it follows.`,
    details: { kept: place, switchPoint: report.switchPoint, seconds: result.seconds },
  });
  try {
    await startAsStandby({ member, record, signal }, upstreamAt(leader));
  } catch (thrown) {
    if (!(thrown instanceof UnderstudyError) || thrown.code !== "START_FAILED") throw thrown;
    await writeMarker(member.paths.data, {
      operation: "rewind",
      pid: process.pid,
      startedAt: new Date().toISOString(),
      source: `${leader.address.host}:${leader.address.port}`,
    });
    reportFailure(context, { why: thrown.message, place });
  }
}

function walPart(member: Member, of: { control: ControlData; diverged: Diverged }): WalPart {
  const { end, switchPoint } = of.diverged;
  return {
    dataDir: member.paths.data,
    timeline: end.timeline,
    from: switchPoint,
    to: end.endLsn,
    segmentBytes: of.control.walSegmentBytes,
  };
}

async function keepDivergedWal(
  { member, decision, signal }: EffectContext,
  diverged: Diverged,
): Promise<{ place: string; report: DivergenceReport }> {
  const { leader, end, bytes, switchPoint } = diverged;
  const control = await readControlData(member.paths.data);
  const divergence = { leader, ...end, bytes, switchPoint };
  const kept = await keepWal(member, walPart(member, { control, diverged }), (walDir) =>
    reportOnDivergence(member, { ...divergence, walDir }, signal),
  );
  const { report, place } = kept;
  member.event({
    event: "diverged-wal-kept",
    rule: decision.rule,
    level: "warning",
    message: `${member.name} has ${bytes} bytes of WAL beyond ${report.switchPoint}, where ${leader.name} left timeline ${report.timeline}: ${describeTransactions(report)}; that WAL is kept in ${place}, and ${member.name} is rewound.`,
    details: { kept: place, ...report },
  });
  return kept;
}

/** The marker is there: nothing starts what is left. */
function reportFailure(
  { member, decision }: EffectContext,
  failure: { why: string; place: string },
): void {
  member.event({
    event: "rewind-failed",
    rule: decision.rule,
    level: "warning",
    message: `${member.name} could not be rewound: ${failure.why}. What is left of its data is worthless; the WAL that only it had is kept in ${failure.place}, and the primary is copied anew.`,
    details: { kept: failure.place, why: failure.why },
  });
}
