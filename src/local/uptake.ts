// Has every member read the specification again, and waits until each has given it to its server.
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../core/errors.ts";
import { bumpGeneration, isFenced } from "../core/record-changes.ts";
import { changeClusterRecord, readRecord, type LocalCluster, type Operation } from "./cluster.ts";
import { askMembers } from "./read-status.ts";

const POLL_MS = 50;

/**
 * Members whose agents do not answer, and those that are fenced, take it up when they are back.
 * @throws UnderstudyError TIMED_OUT, naming the members that are late.
 */
export async function announceAndAwaitUptake(
  cluster: LocalCluster,
  operation: Operation,
): Promise<void> {
  const generation = (await changeClusterRecord(cluster, bumpGeneration))?.generation ?? 0;
  const deadline = performance.now() + operation.timeoutMs;
  for (;;) {
    operation.signal.throwIfAborted();
    const record = await readRecord(cluster);
    const answers = await askMembers(cluster, { record });
    const late = [...answers].filter(
      ([name, answer]) =>
        !("unreachable" in answer) &&
        !isFenced(record, name) &&
        (answer.generation ?? 0) < generation,
    );
    if (late.length === 0) return;
    if (performance.now() > deadline)
      throw new UnderstudyError(
        "TIMED_OUT",
        `${late.map(([name]) => name).join(", ")} has not taken up the new specification yet`,
      );
    await delay(POLL_MS);
  }
}
