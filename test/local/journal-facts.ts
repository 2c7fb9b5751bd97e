// What a member's events tell, read from its file.
import { readFile } from "node:fs/promises";
import type { Entry } from "../../src/agent/journal.ts";
import type { TestCluster } from "../support/local-cluster.ts";

/** Oldest first. */
export async function eventsOf(cluster: TestCluster, member: string): Promise<Entry[]> {
  const text = await readFile(cluster.paths(member).events, "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Entry => JSON.parse(line));
}
