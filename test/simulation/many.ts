// Many seeds on several processes, each of which takes every so-manieth and tells how far it is.
import { fork } from "node:child_process";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { planOf } from "./plan.ts";
import { add, noneYet, tallyOf, type Tally } from "./tally.ts";
import type { ThemeName } from "./themes.ts";
import { run } from "./world.ts";

export interface Share {
  readonly first: number;
  /** The first that is not run. */
  readonly end: number;
  readonly step: number;
  /** Of all of them; else each seed has its own. */
  readonly theme?: ThemeName | undefined;
}

/** What a process says: how far it is, again and again, and at last what it all came to. */
export type Report = Progress | { readonly tally: Tally };

export interface Progress {
  readonly seeds: number;
  /** Which of them failed. */
  readonly failed: readonly number[];
}

const REPORT_MS = 1_000;

/** @throws when one of the processes ends without an answer, as at a mistake of the simulation. */
export async function simulateMany(of: {
  from: number;
  count: number;
  processes: number;
  theme?: ThemeName | undefined;
  onProgress?: (progress: Progress) => void;
}): Promise<Tally> {
  const { from, count, processes, theme, onProgress } = of;
  const reached = Array.from({ length: processes }, (): Progress => ({ seeds: 0, failed: [] }));
  const shares = await Promise.all(
    reached.map((_, place) =>
      inProcess({ first: from + place, end: from + count, step: processes, theme }, (progress) => {
        reached[place] = progress;
        onProgress?.(reached.reduce(sum));
      }),
    ),
  );
  return shares.reduce(add, noneYet());
}

export async function runShare(
  { first, end, step, theme }: Share,
  report: (progress: Progress) => void,
): Promise<Tally> {
  let tally = noneYet();
  let reportedMs = performance.now();
  for (let seed = first; seed < end; seed += step) {
    const result = await run({ seed, plan: planOf(seed, theme) });
    tally = add(tally, tallyOf(seed, result));
    if (performance.now() - reportedMs < REPORT_MS) continue;
    reportedMs = performance.now();
    report({ seeds: tally.seeds, failed: tally.failed.map(({ seed: each }) => each) });
    // What has come meanwhile is only heard here.
    await setImmediate();
  }
  const { user, system } = process.cpuUsage();
  return { ...tally, cpuMs: (user + system) / 1_000 };
}

function sum(one: Progress, other: Progress): Progress {
  return { seeds: one.seeds + other.seeds, failed: [...one.failed, ...other.failed] };
}

function inProcess(share: Share, onProgress: (progress: Progress) => void): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, "share.ts"), [JSON.stringify(share)]);
    let tally: Tally | null = null;
    child.on("message", (message) => {
      const report: Report = JSON.parse(String(message));
      if ("tally" in report) tally = report.tally;
      else onProgress(report);
    });
    child.once("exit", (code) =>
      tally === null
        ? reject(new Error(`a process of the simulation ended with status ${code}`))
        : resolve(tally),
    );
  });
}
