// `up` of a cluster that has just been made: its data is being made. Where that cannot be done, or
// `up` is interrupted, nothing of it is left.
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import { endStarted, type StartedAgent } from "./agents.ts";
import { bringUp } from "./bring-up.ts";
import { readRecord, type LocalCluster } from "./cluster.ts";
import type { Founding } from "./founding.ts";
import type { Owner } from "./owner.ts";
import type { UpOptions, UpResult, UpSurroundings } from "./up.ts";

/**
 * @throws UnderstudyError INTERRUPTED or INITDB_FAILED after everything was removed; whatever else
 * starting may end in, after which the agents go on.
 */
export async function upNewborn(
  cluster: LocalCluster,
  options: UpOptions,
  around: UpSurroundings & { owner: Owner | null; record: ClusterRecord; founding: Founding },
): Promise<UpResult> {
  const { founding } = around;
  const started = new Map<string, StartedAgent>();
  try {
    return await bringUp(cluster, options, { ...around, started });
  } catch (thrown) {
    const { aborted } = options.signal;
    if (!aborted && !(await isStillborn(cluster, { founding, thrown }))) throw thrown;
    await endStarted(started.values());
    await founding.end();
    const { stopCluster } = await import("./down.ts");
    const { deleteFiles } = await import("./delete.ts");
    await stopCluster(cluster, { timeoutMs: 60_000, signal: AbortSignal.timeout(60_000) });
    await deleteFiles(cluster);
    const { name } = cluster.place;
    const removed = `the new cluster ${name} was removed again, nothing is left of it`;
    if (aborted) throw new UnderstudyError("INTERRUPTED", `up was interrupted; ${removed}`);
    throw new UnderstudyError("INITDB_FAILED", `${messageOf(thrown)}; ${removed}`, {
      cause: thrown,
      hint: "Correct what is named there, then repeat: understudy up",
    });
  }
}

/**
 * A new cluster whose data could not be made: a second `up` could not do it either, as its wishes
 * are kept with it.
 */
async function isStillborn(
  cluster: LocalCluster,
  of: { founding: Founding; thrown: unknown },
): Promise<boolean> {
  const { founding, thrown } = of;
  const failed = thrown instanceof UnderstudyError && thrown.code === "START_FAILED";
  const isUnmade = await founding.made.then(
    () => false,
    (reason: unknown) => reason === thrown,
  );
  return (failed || isUnmade) && (await readRecord(cluster)).systemId === null;
}
