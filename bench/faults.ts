// The fault table: every kind of failure on a real cluster under a writer, by major and with and
// without synchronous replication, as Markdown.
// Of a row that went wrong what the agents and servers logged is kept beside the file.
//   npm run proof -- [--postgres 10,12,15,18] [--sync off,on] [--faults crash,…] [--rounds 1]
//                    [--out proof.jsonl] [--table]
// Each result is appended to --out at once; what is there already is not measured again, so a run
// that was cut off goes on. --table only prints what the file has.
import { appendFileSync, cpSync, existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ownProgram } from "../src/cli/entry.ts";
import { messageOf } from "../src/core/errors.ts";
import { isMajor, type Major } from "../src/core/spec.ts";
import { openCluster } from "../src/local/cluster.ts";
import { rehearse } from "../src/local/drill/drill.ts";
import type { Fault } from "../src/local/drill/fault.ts";
import type { TestCluster } from "../test/support/local-cluster.ts";
import { beginCluster } from "./proof/begin-cluster.ts";
import { DID_NOT_COME_BACK, faultTable, resultOf, type FaultResult } from "./proof/fault-table.ts";
import { PROOF_FAULTS, isProofFault, type ProofFault } from "./proof/proof-faults.ts";
import { enterNamespace, giveSmallDisks } from "./proof/small-disks.ts";

const { values } = parseArgs({
  options: {
    postgres: { type: "string", default: "10,12,15,18" },
    sync: { type: "string", default: "off,on" },
    faults: { type: "string", default: Object.keys(PROOF_FAULTS).join(",") },
    rounds: { type: "string", default: "1" },
    out: { type: "string", default: "proof.jsonl" },
    table: { type: "boolean", default: false },
  },
});
const HEAL_LIMIT_MS = 180_000;

/* oxlint-disable no-console -- a program that prints. */

const wanted = values.faults.split(",").filter(isProofFault);
if (values.table) console.log(faultTable(resultsIn(values.out)));
else if (!wanted.includes("disk-full") || enterNamespace())
  for (const major of values.postgres.split(",").map(Number).filter(isMajor))
    for (const sync of values.sync.split(",")) await proveCluster(major, sync === "on");

/** What is not measured yet, on one cluster; the small disks come last, on another one. */
async function proveCluster(major: Major, sync: boolean): Promise<void> {
  const done = resultsIn(values.out).filter((each) => each.major === major && each.sync === sync);
  const left = wanted.filter((name) => !done.some(({ fault }) => fault === name));
  const ordinary = left.filter((name) => name !== "disk-full");
  if (ordinary.length > 0) {
    await using cluster = await beginCluster(major, sync);
    for (const name of ordinary) await prove(cluster, { major, sync, name });
  }
  if (left.includes("disk-full")) {
    await using cluster = await beginCluster(major, sync);
    await using _disks = await giveSmallDisks(cluster);
    await prove(cluster, { major, sync, name: "disk-full" });
  }
}

async function prove(
  cluster: TestCluster,
  of: { major: Major; sync: boolean; name: ProofFault },
): Promise<void> {
  const { major, sync, name } = of;
  await cluster.ok(["up"]);
  await cluster.untilHealthy();
  const opened = await openCluster({ name: cluster.name, dir: cluster.dir });
  const fault: Fault = PROOF_FAULTS[name].fault;
  const program = ownProgram();
  const signal = new AbortController().signal;
  try {
    const { report } = await rehearse(
      opened,
      { name, fault, rounds: Number(values.rounds), program },
      { signal, timeoutMs: HEAL_LIMIT_MS, wait: true, onStep: () => {} },
    );
    const result = resultOf({ major, sync, fault: name, report });
    note(result);
    if (wentWrong(result)) keepLogs(cluster, of);
  } catch (thrown) {
    keepLogs(cluster, of);
    console.log(`${major} ${sync ? "sync" : "async"} ${name}: not measured: ${messageOf(thrown)}`);
  }
}

function wentWrong({ outcome, lost, doubled }: FaultResult): boolean {
  return outcome === DID_NOT_COME_BACK || lost !== 0 || doubled !== 0;
}

/** All that the cluster's directory has but data. */
function keepLogs(
  cluster: TestCluster,
  { major, sync, name }: { major: Major; sync: boolean; name: ProofFault },
): void {
  const place = `${values.out}-${major}-${sync ? "sync" : "async"}-${name}-${Date.now()}`;
  cpSync(cluster.dir, place, { recursive: true, filter: isLog });
  console.log(`what was logged is kept in ${place}`);
}

function isLog(path: string): boolean {
  return !/\/(data|kept)$|secrets|passfile/.test(path);
}

function note(result: FaultResult): void {
  appendFileSync(values.out, `${JSON.stringify(result)}\n`);
  console.log(JSON.stringify(result));
}

function resultsIn(path: string): FaultResult[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.flatMap((line) => (line === "" ? [] : [JSON.parse(line) as FaultResult]));
}
