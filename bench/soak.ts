// Hours of random faults on one cluster under load, with every promise checked:
//   npm run soak -- --minutes 60 [--every 10] [--seed N] [--postgres 15] [--sync on] [--out FILE]
//   npm run soak -- --failovers 1000      so many failovers in a row, as fast as everybody is back
// Stops at the first violation and keeps everything as it is. The seed is printed; it draws the
// same faults again, though not the same moments.
import { appendFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { isMajor } from "../src/core/spec.ts";
import { Random } from "../test/simulation/random.ts";
import { beginCluster } from "./proof/begin-cluster.ts";
import { growthTable } from "./proof/growth.ts";
import { Soak, SoakViolation } from "./proof/soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    every: { type: "string", default: "10" },
    failovers: { type: "string" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
    postgres: { type: "string", default: "15" },
    sync: { type: "string", default: "off" },
    only: { type: "string", default: "" },
    out: { type: "string" },
  },
});
const major = Number(values.postgres);
if (!isMajor(major)) throw new Error(`--postgres ${values.postgres} is no major that we know`);

/* oxlint-disable no-console -- a program that prints. */
function say(text: string): void {
  console.log(text);
  if (values.out !== undefined) appendFileSync(values.out, `${text}\n`);
}

say(`# seed ${values.seed}, PostgreSQL ${major}, sync ${values.sync}, ${new Date().toISOString()}`);
const cluster = await beginCluster(major, values.sync === "on");
const soak = await Soak.begin(cluster, { random: new Random(Number(values.seed)), say });
try {
  if (values.failovers === undefined)
    await soak.randomFaults({
      minutes: Number(values.minutes),
      everyMs: Number(values.every) * 1_000,
      only: values.only === "" ? [] : values.only.split(","),
    });
  else await soak.failovers(Number(values.failovers));
  const summary = await soak.finish();
  say(`\n${summary}\n\n${growthTable(soak.footprints)}`);
  await cluster[Symbol.asyncDispose]();
} catch (thrown) {
  const why = thrown instanceof SoakViolation ? thrown.message : String(thrown);
  say(`\nVIOLATION: ${why}\n${await soak.keepEvidence()}`);
  // Whatever still runs is evidence too, but for this program.
  process.exit(1);
}
