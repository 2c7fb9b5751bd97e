// A control group of each hierarchy, below which a kubelet makes those of its pods. Linux has one
// hierarchy for each controller (version 1), or one for all.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";
const CONTROLLERS = ["cpu", "cpuset", "memory", "pids"];
/**
 * A node is a machine: beside the others' programs it counts for more than one of these. Of
 * processor time; a program has 1024, or 100.
 */
const SHARES = { "cpu.shares": "32768", "cpu.weight": "3200" };
/** A group of version 1 in which nothing can run before it has some of each. */
const CPUSET_NEEDS = ["cpuset.cpus", "cpuset.mems"];

export function makeControlGroups(name: string): void {
  if (isOne())
    writeFileSync(
      join(ROOT, "cgroup.subtree_control"),
      CONTROLLERS.map((each) => `+${each}`).join(" "),
    );
  for (const group of groups(name)) {
    mkdirSync(group, { recursive: true });
    for (const [file, share] of Object.entries(SHARES))
      if (existsSync(join(group, file))) writeFileSync(join(group, file), share);
    if (isOne() || !existsSync(join(group, "cpuset.cpus"))) continue;
    for (const need of CPUSET_NEEDS)
      writeFileSync(join(group, need), readFileSync(join(group, "..", need)));
  }
}

/** Of all that is below it. */
export function processesIn(name: string): number[] {
  const all = groups(name).flatMap((group) => below(group).flatMap(processesOf));
  return [...new Set(all)];
}

/** @throws Error where something still runs in one of them. */
export function removeControlGroups(name: string): void {
  for (const group of groups(name))
    for (const directory of below(group).toReversed()) rmdirSync(directory);
}

function groups(name: string): string[] {
  if (isOne()) return [join(ROOT, name)];
  const hierarchies = readdirSync(ROOT).filter((each) => each !== "unified");
  return hierarchies
    .filter((each) => existsSync(join(ROOT, each, "cgroup.procs")))
    .map((each) => join(ROOT, each, name));
}

function isOne(): boolean {
  return existsSync(join(ROOT, "cgroup.controllers"));
}

/** Itself first. */
function below(group: string): string[] {
  if (!existsSync(group)) return [];
  const directories = readdirSync(group, { withFileTypes: true }).filter((each) =>
    each.isDirectory(),
  );
  return [group, ...directories.flatMap((each) => below(join(group, each.name)))];
}

function processesOf(group: string): number[] {
  const text = readFileSync(join(group, "cgroup.procs"), "utf8");
  return text.split("\n").filter(Boolean).map(Number);
}
