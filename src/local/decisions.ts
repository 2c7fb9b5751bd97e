// What persons decide by a command is kept among the events: who, what, from what to what. In a
// journal of the cluster's own beside those of its members, so that it is kept where no agent runs.
import { userInfo } from "node:os";
import { Journal } from "../agent/journal.ts";
import { messageOf } from "../core/errors.ts";
import type { LocalCluster } from "./cluster.ts";
import { findOwner, giveTo } from "./owner.ts";

export interface Change {
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

/** In place of a member's name. */
const PERSON = "person";

/**
 * Called once it is done: what is asked for must not fail because it cannot be written down.
 * @param of.what goes on after the name of who did it: "paused demo: ..."
 * @returns a clause for the command's summary, empty where all is well
 */
export async function noteDecision(
  cluster: LocalCluster,
  of: { event: string; what: string; details: Readonly<Record<string, unknown>> },
): Promise<string> {
  const { event, what, details } = of;
  const { events: path } = cluster.paths;
  const by = whoAsks();
  const noted = {
    event,
    message: `${by} ${what}.`,
    details: { decidedBy: "a person", by, ...details },
  };
  try {
    if (cluster.reach !== undefined) {
      await cluster.reach.note(noted);
      return "";
    }
    new Journal({ path, member: PERSON }).append(noted);
    await giveTo(await findOwner(cluster.file.osUser), [path]);
    return "";
  } catch (thrown) {
    return `; this is not among the events: ${messageOf(thrown)}`;
  }
}

/** "work_mem: 4MB becomes 64MB, ..." */
export function describeChanges(changes: readonly Change[]): string {
  return changes.map(({ key, from, to }) => `${key}: ${from} becomes ${to}`).join(", ");
}

/** Who was it before sudo made root of them; a number where the account has no name. */
function whoAsks(): string {
  const before = process.env["SUDO_USER"];
  if (before !== undefined && before !== "") return before;
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? "unknown"}`;
  }
}
