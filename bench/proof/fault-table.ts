// One line of the fault table as it is kept in a file, and the table. Pure.
import type { DrillReport } from "../../src/local/drill/report.ts";
import { PROOF_FAULTS, type ProofFault } from "./proof-faults.ts";

export const DID_NOT_COME_BACK = "did not come back";

export interface FaultResult {
  readonly major: number;
  readonly version: string | null;
  readonly sync: boolean;
  readonly fault: ProofFault;
  readonly rounds: number;
  readonly outcome: string;
  readonly writeGapMs: number | null;
  readonly readGapMs: number | null;
  readonly rejoinMs: number | null;
  readonly rejoinedHow: readonly string[];
  readonly acknowledged: number;
  readonly lost: number | null;
  readonly doubled: number;
  readonly at: string;
}

export function resultOf(of: {
  major: number;
  sync: boolean;
  fault: ProofFault;
  report: DrillReport;
}): FaultResult {
  const { major, sync, fault, report } = of;
  const { summary, rounds, postgresVersion } = report;
  return {
    major,
    version: postgresVersion,
    sync,
    fault,
    rounds: rounds.length,
    outcome: outcomeOf(report),
    writeGapMs: summary.writeGapMs?.median ?? null,
    readGapMs: summary.readGapMs?.median ?? null,
    rejoinMs: summary.rejoinMs?.median ?? null,
    rejoinedHow: [...new Set(rounds.flatMap(({ rejoin }) => rejoin?.how ?? []))],
    acknowledged: summary.acknowledged,
    lost: summary.lost,
    doubled: summary.doubled,
    at: rounds[0]?.at ?? "",
  };
}

function outcomeOf({ rounds }: DrillReport): string {
  if (!rounds.every(({ cameBack }) => cameBack)) return DID_NOT_COME_BACK;
  const same = rounds.filter(({ from, to }) => from === to).length;
  if (same === rounds.length)
    return rounds.every(({ term }) => term.before === term.after)
      ? "the primary leads on"
      : "the primary starts again";
  return same === 0
    ? "a standby takes over"
    : `a standby takes over in ${rounds.length - same} of ${rounds.length}`;
}

/** One block for each kind of replication, a row for each fault, columns for the majors. */
export function faultTable(results: readonly FaultResult[]): string {
  return [false, true]
    .map((sync) => ({ sync, of: results.filter((each) => each.sync === sync) }))
    .filter(({ of }) => of.length > 0)
    .map(({ sync, of }) => `### ${sync ? "Synchronous" : "Asynchronous"}\n\n${block(of)}`)
    .join("\n\n");
}

function block(results: readonly FaultResult[]): string {
  const rows = (Object.keys(PROOF_FAULTS) as ProofFault[]).flatMap((fault) =>
    results
      .filter((each) => each.fault === fault)
      .toSorted((one, other) => one.major - other.major),
  );
  return [
    "| fault | PostgreSQL | outcome | writes stood still | lost | doubled | old primary streams again |",
    "|---|---|---|---:|---:|---:|---|",
    ...rows.map((row) => {
      const { words } = PROOF_FAULTS[row.fault];
      const rejoin =
        row.rejoinMs === null ? "" : `${formatMs(row.rejoinMs)}, ${row.rejoinedHow.join(" or ")}`;
      return `| ${words} | ${row.version ?? row.major} | ${row.outcome} | ${formatMs(row.writeGapMs)} | ${row.lost ?? "unknown"} of ${row.acknowledged} | ${row.doubled} | ${rejoin} |`;
    }),
  ].join("\n");
}

function formatMs(ms: number | null): string {
  if (ms === null) return "unknown";
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
