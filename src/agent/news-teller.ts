// Writes an event of what a person has changed in the record: the commands that change it need no
// agent, so it is an agent that sees it who tells.
import { newsOf, tellsNews } from "../core/record-news.ts";
import type { ClusterRecord } from "../core/record.ts";
import type { Member } from "./member.ts";
import type { Presence } from "./presence.ts";

export class NewsTeller {
  readonly #options: {
    readonly member: Pick<Member, "name" | "event">;
    /** Of the leader's agent. */
    readonly presence: Pick<Presence, "lostSinceMs">;
  };
  /** What was changed before this agent began, another one has told. */
  #known: ClusterRecord | null = null;
  /** The leader's agent, when that was known. Another leader may be watched since. */
  #answered = true;

  constructor(options: {
    member: Pick<Member, "name" | "event">;
    presence: Pick<Presence, "lostSinceMs">;
  }) {
    this.#options = options;
  }

  /** Called with each look. */
  look(record: ClusterRecord | null): void {
    const { member, presence } = this.#options;
    const before = this.#known;
    const answers = presence.lostSinceMs === null;
    const leaderAnswers = answers && this.#answered;
    this.#answered = answers;
    if (record === null || record === before) return;
    this.#known = record;
    if (before === null || !tellsNews(before, { self: member.name, leaderAnswers })) return;
    for (const news of newsOf(before, record)) member.event(news);
  }
}
