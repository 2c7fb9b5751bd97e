// One line of the table of faults on Kubernetes as it is kept in a file, and the table. Pure.
import type { FaultSeen } from "../../test/kubernetes/pod-faults.ts";

export interface PodResult extends FaultSeen {
  readonly fault: string;
  readonly words: string;
  readonly sync: boolean;
  /** Of one minute, when it began. */
  readonly load: number;
  readonly at: string;
}

/** A block for each kind of replication, a row for each fault: the median, and what was lost. */
export function podTable(results: readonly PodResult[]): string {
  return [false, true]
    .map((sync) => ({ sync, of: results.filter((each) => each.sync === sync) }))
    .filter(({ of }) => of.length > 0)
    .map(({ sync, of }) => `### ${sync ? "Synchronous" : "Asynchronous"}\n\n${block(of)}`)
    .join("\n\n");
}

function block(results: readonly PodResult[]): string {
  const faults = [...new Set(results.map(({ fault }) => fault))];
  return [
    "| fault | rounds | outcome | writes stood still | lost | doubled | all stream again | load |",
    "|---|---:|---|---:|---:|---:|---:|---:|",
    ...faults.map((fault) => row(results.filter((each) => each.fault === fault))),
  ].join("\n");
}

function row(rounds: readonly PodResult[]): string {
  const sum = (of: (each: PodResult) => number) => rounds.reduce((all, each) => all + of(each), 0);
  const cells = [
    rounds[0]?.words ?? "",
    String(rounds.length),
    outcomeOf(rounds),
    spread(rounds.map(({ withoutWritesMs }) => withoutWritesMs)),
    `${sum(({ lost }) => lost)} of ${sum(({ acknowledged }) => acknowledged)}`,
    String(sum(({ doubled }) => doubled)),
    spread(rounds.map(({ wholeAgainMs }) => wholeAgainMs)),
    spreadOf(
      rounds.map(({ load }) => load),
      (load) => load.toFixed(0),
    ),
  ];
  return `| ${cells.join(" | ")} |`;
}

function outcomeOf(rounds: readonly PodResult[]): string {
  const moved = rounds.filter(({ from, to }) => from !== to).length;
  if (moved === rounds.length) return "a standby takes over";
  return moved === 0 ? "the primary leads on" : `a standby takes over in ${moved}`;
}

function spread(all: readonly number[]): string {
  return spreadOf(all, (ms) => (ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`));
}

/** "1.4 s (1.2 s to 2.0 s)": the median, the least and the most. */
function spreadOf(all: readonly number[], told: (value: number) => string): string {
  const sorted = all.toSorted((one, other) => one - other);
  const [least = 0] = sorted;
  const most = sorted.at(-1) ?? 0;
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return sorted.length < 2 ? told(median) : `${told(median)} (${told(least)} to ${told(most)})`;
}
