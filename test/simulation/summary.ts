// What many seeds came to, as lines of Markdown: for the terminal, and for docs/proof.md.
import { FAULT_KINDS } from "./faults.ts";
import type { Tally } from "./tally.ts";

export interface Circumstances {
  readonly command: string;
  readonly elapsedMs: number;
  readonly processes: number;
}

export function summarize(all: Tally, { command, elapsedMs, processes }: Circumstances): string[] {
  const seconds = elapsedMs / 1_000;
  const faults = Object.values(all.faults).reduce((sum, times) => sum + times, 0);
  const rows: readonly (readonly [string, string])[] = [
    ["seeds", count(all.seeds)],
    ["failed", count(all.failed.length)],
    ["simulated", `${count(all.simulatedMs / 3_600_000)} hours`],
    ["took", `${seconds.toFixed(0)} s on ${processes} processes`],
    ["seeds a second", (all.seeds / seconds).toFixed(1)],
    ["processor time per seed", `${(all.cpuMs / all.seeds).toFixed(1)} ms`],
    [
      "faults",
      `${count(faults)} (${(faults / all.seeds).toFixed(1)} per seed, ${all.fewestFaults} at least)`,
    ],
    ["elections", count(all.elections)],
    ["failovers, switchovers", `${count(all.failovers)}, ${count(all.switchovers)}`],
    ["promotions", count(all.promotions)],
    ["servers started", count(all.starts)],
    ["members copied, rewound", `${count(all.copies)}, ${count(all.rewinds)}`],
    ["commits acknowledged", count(all.acknowledged)],
    ["of them under a synchronous promise", count(all.promised)],
    ["changes of that promise", count(all.promises)],
    ["lost without one or by a person's word, and told", count(all.lostReported)],
    [
      "well again after the last fault",
      `${inSeconds(all.recoveredAfterMs / all.seeds)} on average, ${inSeconds(all.longestRecoveryMs)} at most`,
    ],
  ];
  return [
    `\`${command}\`, Node.js ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
    "",
    ...table(["figure", "value"], rows),
    "",
    ...table(
      ["fault", "times"],
      FAULT_KINDS.map((kind) => [kind, count(all.faults[kind] ?? 0)]),
    ),
  ];
}

function table(
  head: readonly [string, string],
  rows: readonly (readonly [string, string])[],
): string[] {
  return [row(head), "|---|---|", ...rows.map(row)];
}

function row([name, value]: readonly [string, string]): string {
  return `| ${name} | ${value} |`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
