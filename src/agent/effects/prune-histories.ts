// One of the small things that a primary and its standbys do on each steady pass: timelines'
// histories do not pile up.
import { messageOf } from "../../core/errors.ts";
import { pruneTimelineHistories } from "../../postgres/timeline-histories.ts";
import type { Member } from "../member.ts";

/** What cannot be removed now is no reason to fail: the next pass tries again. */
export async function pruneHistories(member: Pick<Member, "paths" | "log">): Promise<void> {
  await pruneTimelineHistories(member.paths.data).catch((thrown: unknown) => {
    const message = messageOf(thrown);
    member.log.write({ event: "histories-not-pruned", level: "warning", message });
  });
}
