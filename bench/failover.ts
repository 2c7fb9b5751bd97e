// How long writes stand still when a primary fails or hands over, and how soon the old primary
// streams again, as the drill's clients see it: node bench/failover.ts [--rounds 10] [--postgres
// 15]. Beside it, in the same run, the floor: a bare promotion.
import { setMaxListeners } from "node:events";
import { parseArgs } from "node:util";
import { ownProgram } from "../src/cli/entry.ts";
import { isMajor } from "../src/core/spec.ts";
import { openCluster } from "../src/local/cluster.ts";
import { drill } from "../src/local/drill/drill.ts";
import type { DrillFault } from "../src/local/drill/fault-name.ts";
import type { DrillReport } from "../src/local/drill/report.ts";
import { spreadOf, type Spread } from "../src/local/drill/statistics.ts";
import { installationFor } from "../test/support/installations.ts";
import { TestCluster } from "../test/support/local-cluster.ts";
import { barePromotion } from "./bare-promotion.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    postgres: { type: "string", default: "15" },
  },
});
const rounds = Number(values.rounds);
const major = Number(values.postgres);
if (!isMajor(major)) throw new Error(`--postgres ${values.postgres} is no major that we know`);
const LIMIT_MS = 120_000;

/* oxlint-disable no-console -- a program that prints. */

interface Row {
  readonly what: string;
  readonly spread: Spread | null;
  readonly goalMs: number | null;
  readonly outcome: string;
}

// Each command's waits listen to one signal; there are many rounds.
setMaxListeners(0);
const installation = await installationFor(major);
console.log(`PostgreSQL ${installation.version}, ${rounds} rounds each, a writer every 5 ms`);
const bare: number[] = [];
for (let round = 0; round < rounds; round += 1) bare.push(await barePromotion(installation));
print({ what: "bare promotion", spread: spreadOf(bare), goalMs: null, outcome: "" });

await using cluster = await TestCluster.up(major);
const crash = await rehearse("crash");
print({ what: "PostgreSQL killed", ...gapOf(crash), goalMs: 300 });
const death = await rehearse("member-death");
print({ what: "member killed whole", ...gapOf(death), goalMs: 300 });
const handover = await rehearse("switchover");
print({ what: "switchover", ...gapOf(handover), goalMs: 200 });
print({
  what: "old primary streams again after its agent is back",
  ...rejoinOf(death),
  goalMs: 1_000,
});
print({ what: "old primary streams again after the crash", ...rejoinOf(crash), goalMs: null });

async function rehearse(fault: DrillFault): Promise<DrillReport> {
  await cluster.untilHealthy();
  const opened = await openCluster({ name: cluster.name, dir: cluster.dir });
  const program = ownProgram();
  const { report } = await drill(
    opened,
    { fault, rounds, lastsMs: 0, program },
    { signal: new AbortController().signal, timeoutMs: LIMIT_MS, wait: true, onStep: () => {} },
  );
  return report;
}

function gapOf({ summary }: DrillReport): Pick<Row, "spread" | "outcome"> {
  const { lost, acknowledged, doubled, writeGapMs } = summary;
  const outcome = `lost ${lost ?? "unknown"} of ${acknowledged}, doubled ${doubled}`;
  return { spread: writeGapMs, outcome };
}

function rejoinOf({ summary, rounds: all }: DrillReport): Pick<Row, "spread" | "outcome"> {
  const ways = Map.groupBy(all, ({ rejoin }) => rejoin?.how ?? "not at all");
  const outcome = [...ways].map(([how, each]) => `${each.length} ${how}`).join(", ");
  return { spread: summary.rejoinMs, outcome };
}

function print({ what, spread, goalMs, outcome }: Row): void {
  const [median, min, max] = [spread?.median, spread?.min, spread?.max].map((ms) =>
    ms === undefined ? "unknown" : ms.toFixed(0),
  );
  const goal = goalMs === null ? "" : ` (goal ${goalMs} ms)`;
  console.log(
    `${what}: median ${median} ms, from ${min} to ${max} ms${goal}${outcome && `; ${outcome}`}`,
  );
}
