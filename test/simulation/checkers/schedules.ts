// A switchover that a person has scheduled is done at its time by the clock of its primary, not
// before and not much later, and never by another primary.
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { View } from "./checker.ts";

/** As the command tells people. */
const LATE_LIMIT_MS = 5 * 60_000;
/** It waits for what its agent has under way, as for a standby that does not answer. */
const OVERDUE_MS = 30_000;

export class ScheduleChecker {
  readonly #view: View;
  readonly #isDue: (member: string) => void;

  /** @param isDue called again and again while it may be done */
  constructor(view: View, isDue: (member: string) => void) {
    this.#view = view;
    this.#isDue = isDue;
  }

  /** Called often, and whenever a primary is stopped. */
  observe(): void {
    const { leader, scheduled } = this.#view.storedRecord();
    if (leader === null || scheduled === null) return;
    const byMs = this.#view.wallMs(leader.member) - Date.parse(scheduled.at);
    if (byMs >= 0 && byMs <= LATE_LIMIT_MS) this.#isDue(leader.member);
  }

  recordWritten(before: ClusterRecord, after: ClusterRecord): void {
    // What is cancelled afterwards is under way.
    if (before.switchover === null && after.switchover !== null) this.observe();
    if (before.scheduled === null || after.scheduled?.at !== before.scheduled.at) return;
    const [last, next] = [before.history.at(-1)?.member, after.history.at(-1)?.member];
    if (last === next || last === undefined) return;
    this.#view.fail(
      "a schedule ends with its primary",
      `${next ?? "nobody"} leads, and is to do the switchover that was scheduled while ${last} led`,
    );
  }

  /** Why it is not well; null when it is. */
  ailment({ leader, scheduled }: ClusterRecord): string | null {
    if (leader === null || scheduled === null) return null;
    const byMs = this.#view.wallMs(leader.member) - Date.parse(scheduled.at);
    if (byMs < OVERDUE_MS) return null;
    return `a switchover is still scheduled for ${Math.round(byMs / 1_000)} s ago`;
  }
}
