// Many seeds on several processes, each of which takes every so-manieth.
import { fork } from "node:child_process";
import { join } from "node:path";
import { drawPlan } from "./faults.ts";
import { Random } from "./random.ts";
import { add, noneYet, type Tally } from "./tally.ts";
import { run } from "./world.ts";

export interface Share {
  readonly first: number;
  /** The first that is not run. */
  readonly end: number;
  readonly step: number;
}

/** @throws when one of the processes ends without an answer, as at a mistake of the simulation. */
export async function simulateMany(of: {
  from: number;
  count: number;
  processes: number;
}): Promise<Tally> {
  const { from, count, processes } = of;
  const shares = await Promise.all(
    Array.from({ length: processes }, (_, place) =>
      inProcess({ first: from + place, end: from + count, step: processes }),
    ),
  );
  return shares.reduce(add, noneYet());
}

export async function runShare({ first, end, step }: Share): Promise<Tally> {
  let tally = noneYet();
  for (let seed = first; seed < end; seed += step) {
    const result = await run({ seed, plan: drawPlan(new Random(seed, 1)) });
    const { violation, recoveredAfterMs } = result;
    const failed = violation === null ? [] : [{ seed, message: violation.message }];
    tally = add(tally, { ...result, seeds: 1, failed, longestRecoveryMs: recoveredAfterMs });
  }
  return tally;
}

function inProcess(share: Share): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, "share.ts"), [JSON.stringify(share)]);
    let tally: Tally | null = null;
    child.once("message", (message) => (tally = JSON.parse(String(message))));
    child.once("exit", (code) =>
      tally === null
        ? reject(new Error(`a process of the simulation ended with status ${code}`))
        : resolve(tally),
    );
  });
}
