// Has the standby that a person names save what the disks of those that led still have, before it
// is named: what it could not get is known while everything can still be undone.
import * as v from "valibot";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import { askAgent, recordMember, type LocalCluster, type Operation } from "./cluster.ts";

const savedSchema = v.object({
  savedBytes: v.number(),
  /** Null when it cannot be told. */
  lostBytes: v.nullable(v.number()),
  lostTransactions: v.nullable(v.number()),
  /** Why not everything was saved. */
  trouble: v.nullable(v.string()),
});

export type SavedFromDisk = v.InferOutput<typeof savedSchema>;

/**
 * An agent that cannot do it, or is too old to know how, has saved nothing: that is told.
 * @throws UnderstudyError TIMED_OUT: it may still be at it, so nothing can be told of what is lost.
 */
export async function saveFromDisk(
  cluster: LocalCluster,
  of: { record: ClusterRecord; to: string; operation: Operation },
): Promise<SavedFromDisk> {
  const { record, to, operation } = of;
  const request = { member: recordMember(record, to), path: "/save-wal", operation };
  try {
    const body = { term: record.term };
    return v.parse(savedSchema, await askAgent(cluster, { ...request, body }));
  } catch (thrown) {
    operation.signal.throwIfAborted();
    if (thrown instanceof UnderstudyError && thrown.code === "TIMED_OUT") throw thrown;
    return { savedBytes: 0, lostBytes: null, lostTransactions: null, trouble: messageOf(thrown) };
  }
}
