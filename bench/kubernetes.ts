// What befalls the primary's pod and node on a real Kubernetes of this machine, and what a writer
// sees of it: node bench/kubernetes.ts --out FILE [--rounds 3] [--faults a,b] [--sync off|on|both]
// As root; it goes on where it was cut off. --table only prints what is in the file. --idle SECONDS
// tells what agents and operator cost when nobody does anything.
import { appendFile, readFile } from "node:fs/promises";
import { constants, loadavg, setPriority } from "node:os";
import { parseArgs } from "node:util";
import { eventually } from "../test/support/eventually.ts";
import { Kubernetes } from "../test/kubernetes/cluster/kubernetes.ts";
import { PodCluster } from "../test/kubernetes/pod-cluster.ts";
import { POD_FAULTS, strike, type PodFault } from "../test/kubernetes/pod-faults.ts";
import { installOperator } from "../test/kubernetes/pod-operator.ts";
import { podCosts } from "./proof/pod-cost.ts";
import { podTable, type PodResult } from "./proof/pod-table.ts";

const text = { type: "string" } as const;
const { values } = parseArgs({
  options: {
    out: text,
    rounds: { ...text, default: "3" },
    faults: { ...text, default: Object.keys(POD_FAULTS).join(",") },
    sync: { ...text, default: "both" },
    idle: text,
    table: { type: "boolean", default: false },
  },
});

/* oxlint-disable no-console -- a program that prints. */
if (values.out === undefined) throw new Error("say where to: --out FILE");
if (!values.table) await measure(values.out);
console.log(podTable(await readResults(values.out)));

async function measure(out: string): Promise<void> {
  const faults = values.faults.split(",").map(faultOf);
  // The client is to see what the cluster does, and not what else this machine does.
  setPriority(constants.priority.PRIORITY_HIGHEST);
  await using kubernetes = await Kubernetes.start({ nodes: 3 });
  await installOperator(kubernetes);
  for (const sync of [false, true]) {
    if (values.sync !== "both" && values.sync !== (sync ? "on" : "off")) continue;
    await kubernetes.addVolumes();
    const namespace = sync ? "synchronous" : "asynchronous";
    await kubernetes.server.makeNamespace(namespace);
    await using cluster = PodCluster.in(kubernetes, namespace);
    const begun = performance.now();
    await cluster.apply(sync ? { sync: { mode: "on", required: 1 } } : {});
    await cluster.untilStreaming({ standbys: 2 });
    const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
    console.error(`${namespace}: applied, and two standbys stream after ${seconds} s`);
    if (sync)
      await eventually("acknowledged commits are promised", async () => {
        return (await cluster.record())?.sync.guarantee !== null;
      });
    if (values.idle !== undefined) console.table(await podCosts(Number(values.idle)));
    for (const fault of faults) await repeat(cluster, { ...fault, sync, out });
    await cluster.remove();
  }
}

async function repeat(
  cluster: PodCluster,
  of: { name: string; fault: PodFault; sync: boolean; out: string },
): Promise<void> {
  const { name, fault, sync, out } = of;
  const done = (await readResults(out)).filter((each) => each.fault === name && each.sync === sync);
  for (let round = done.length; round < Number(values.rounds); round += 1) {
    const [load = 0] = loadavg();
    const at = new Date().toISOString();
    const seen = await strike(cluster, fault);
    const result: PodResult = { fault: name, words: fault.words, sync, load, at, ...seen };
    await appendFile(out, `${JSON.stringify(result)}\n`);
    console.error(JSON.stringify(result));
  }
}

async function readResults(path: string): Promise<PodResult[]> {
  const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as PodResult);
}

function faultOf(name: string): { name: string; fault: PodFault } {
  const found = Object.entries(POD_FAULTS).find(([each]) => each === name);
  if (found === undefined)
    throw new Error(`--faults are of ${Object.keys(POD_FAULTS).join(", ")}, not ${name}`);
  return { name, fault: found[1] };
}
