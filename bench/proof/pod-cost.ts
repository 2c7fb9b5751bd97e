// What agents, deadmen and the operator cost in their pods while nobody does anything: resident
// memory, and processor time over some seconds.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { listPids } from "../../src/postgres/proc.ts";

export interface PodCost {
  readonly program: string;
  /** Of a member's processes; null for the operator. */
  readonly member: string | null;
  readonly residentMb: number;
  /** Percent of a core. */
  readonly share: number;
}

const HOME = "/opt/understudy/";
const PROGRAMS = ["agent", "deadman", "operator"];
/** In which /proc counts (proc(5)). */
const TICK_MS = 10;

export async function podCosts(seconds: number): Promise<PodCost[]> {
  const watched = listPids().flatMap((pid) => {
    const words = textOf(pid, "cmdline").split("\0");
    const program = PROGRAMS.find((each) => words.includes(each));
    const isOurs = words.some((word) => word.startsWith(HOME)) && words[0]?.endsWith("node");
    return program !== undefined && isOurs ? [{ pid, program, beganMs: processorMs(pid) }] : [];
  });
  await delay(seconds * 1_000);
  return watched.map(({ pid, program, beganMs }) => ({
    program,
    member: /(?:^|\0)UNDERSTUDY_MEMBER=([^\0]*)/.exec(textOf(pid, "environ"))?.[1] ?? null,
    residentMb: Math.round((residentKb(pid) * 1_024) / 1e6),
    share: Math.round((processorMs(pid) - beganMs) / seconds / 0.1) / 100,
  }));
}

/** User and system time: fields 14 and 15 of stat. */
function processorMs(pid: number): number {
  const text = textOf(pid, "stat");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(textOf(pid, "status"))?.[1] ?? Number.NaN);
}

/** Empty where it has ended. */
function textOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}
