// Who leads, and by what right: one at a time, in rising terms, known to the record, and never for
// a reason that is none.
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { ModelServer } from "../model/server.ts";
import type { View } from "./checker.ts";

/** What a person asks for, with reasons of their own. */
export type Request = "switchover" | "restart" | "stop" | "failover" | "fence";

/** A request may wait for another step, and a step for the store. */
const REQUEST_LASTS_MS = 60_000;
/** An agent may act on what it read before for as long as a step of its loop takes. */
const STALE_MS = 10_000;
/** Between the proof that somebody is gone and the write that says so. */
const PROOF_LASTS_MS = 15_000;
/** An agent that has been told of a term stops what it does for an older one within this. */
const HEED_MS = 1_000;

export class LeaderChecker {
  readonly #view: View;
  readonly #leaders = new Map<number, string>();
  /** The newest term that each member's present agent was told, and when. */
  readonly #told = new Map<string, { readonly term: number; readonly sinceMs: number }>();
  readonly #requests = new Map<string, number>();
  /** When each was last seen not to lead by the record, and not to be at work. */
  readonly #notLeading = new Map<string, number>();
  readonly #idle = new Map<string, number>();
  #newestPromotion = 0;
  promotions = 0;
  elections = 0;
  failovers = 0;
  switchovers = 0;

  constructor(view: View) {
    this.#view = view;
  }

  asked(_request: Request, member: string): void {
    this.#requests.set(member, this.#view.nowMs());
  }

  /** A new agent knows nothing; and until now there was none, however short that was. */
  agentBegan(member: string): void {
    this.#told.delete(member);
    this.#idle.set(member, this.#view.nowMs());
  }

  termTold(member: string, term: number): void {
    const known = this.#told.get(member);
    if (known !== undefined && known.term >= term) return;
    this.#told.set(member, { term, sinceMs: this.#view.nowMs() });
  }

  /** Called often: who is not at work now is not known to be alive. */
  observe(): void {
    for (const member of this.#view.servers.keys())
      if (!this.#view.isAtWork(member)) this.#idle.set(member, this.#view.nowMs());
  }

  acts(what: string, { name }: ModelServer): void {
    if (this.#told.has(name) || this.#wasAsked(name)) return;
    this.#view.fail("nothing is done blindly", `${name} ${what} without having read the record`);
  }

  stopRequested({ name, isWritable }: ModelServer): void {
    if (!isWritable || this.#wasAsked(name)) return;
    const { leader } = this.#view.storedRecord();
    const notLeadingMs = this.#notLeading.get(name) ?? -Infinity;
    if (leader?.member !== name || this.#view.nowMs() - notLeadingMs < STALE_MS) return;
    this.#view.fail(
      "no primary is stopped for nothing",
      `${name} leads by the record, and its own agent stops it`,
    );
  }

  promotionRequested({ name }: ModelServer, term: number): void {
    const told = this.#told.get(name);
    if (told === undefined || told.term <= term) return;
    if (this.#view.nowMs() - told.sinceMs < HEED_MS) return;
    this.#view.fail(
      "the newest term is obeyed",
      `${name} is promoted for term ${term}, and its agent knows term ${told.term}`,
    );
  }

  becameWritable(server: ModelServer, how: "promoted" | "recovered" | "started"): void {
    const { name, promotedForTerm } = server;
    const { term } = this.#view.storedRecord();
    this.#view.note(name, `is writable, for term ${promotedForTerm} (${how})`);
    if (how === "started")
      this.#view.fail("never started writable", `${name} was started writable`);
    for (const other of this.#view.servers.values())
      if (other !== server && other.isWritable)
        this.#view.fail("one writable", `${name} became writable while ${other.name} was`);
    if (how !== "promoted") return;
    this.promotions += 1;
    this.#newestPromotion = Math.max(this.#newestPromotion, promotedForTerm);
    if (promotedForTerm < term)
      this.#view.fail(
        "terms rise",
        `${name} was promoted for term ${promotedForTerm} in term ${term}`,
      );
    const leader = this.#leaders.get(promotedForTerm);
    if (leader !== name)
      this.#view.fail(
        "terms rise",
        `${name} was promoted for term ${promotedForTerm}, the lease of which was ${leader ?? "nobody"}'s`,
      );
  }

  acknowledged({ name, promotedForTerm }: ModelServer): void {
    if (promotedForTerm >= this.#newestPromotion) return;
    this.#view.fail(
      "commits of one count",
      `${name}, promoted for term ${promotedForTerm}, acknowledged a commit after a promotion for term ${this.#newestPromotion}`,
    );
  }

  recordWritten(before: ClusterRecord, after: ClusterRecord, by: string): void {
    this.#noteWhoLeads(before, after);
    if (after.term < before.term)
      this.#view.fail("terms rise", `${by} wrote term ${after.term} after ${before.term}`);
    if (after.electing && !before.electing) this.#electionOpened(before, by);
    const leader = after.leader?.member ?? null;
    if (leader !== null && leader !== before.leader?.member)
      this.#handsChanged({ before, after, leader, by });
  }

  #electionOpened(before: ClusterRecord, by: string): void {
    this.elections += 1;
    const gone = before.leader?.member;
    // Who leads, or is named to, may give that up itself at any time, as when a person fences it:
    // nobody takes the lease before the pause is over.
    const resigns = by === (gone ?? before.heir);
    if (before.paused && !resigns) this.#view.fail("a pause is kept", `${by} opens an election`);
    if (gone === undefined || gone === by) return;
    if (!this.#view.isAtWork(gone)) return;
    const atWorkForMs = this.#view.nowMs() - (this.#idle.get(gone) ?? 0);
    if (atWorkForMs > PROOF_LASTS_MS)
      this.#view.fail(
        "the living are not succeeded",
        `${by} declares ${gone} gone, which has been at work for ${Math.round(atWorkForMs / 1_000)} s`,
      );
  }

  #handsChanged(of: {
    before: ClusterRecord;
    after: ClusterRecord;
    leader: string;
    by: string;
  }): void {
    const { before, after, leader, by } = of;
    this.#view.note(by, `the lease of term ${after.term} is ${leader}'s`);
    const last = before.history.at(-1)?.member;
    if (last !== undefined && last !== leader) {
      if (before.switchover?.to === leader) this.switchovers += 1;
      else this.failovers += 1;
    }
    if (before.paused && before.heir !== leader)
      this.#view.fail("a pause is kept", `${leader} takes the lease without being named`);
    if (after.term === before.term)
      this.#view.fail(
        "terms rise",
        `the lease of term ${after.term} changed hands within its term`,
      );
    const known = this.#leaders.get(after.term);
    if (known !== undefined && known !== leader)
      this.#view.fail("terms rise", `${leader} and ${known} both led term ${after.term}`);
    this.#leaders.set(after.term, leader);
  }

  #noteWhoLeads(before: ClusterRecord, after: ClusterRecord): void {
    const now = this.#view.nowMs();
    for (const name of this.#view.servers.keys())
      if (before.leader?.member !== name || after.leader?.member !== name)
        this.#notLeading.set(name, now);
  }

  #wasAsked(name: string): boolean {
    const askedMs = this.#requests.get(name);
    return askedMs !== undefined && this.#view.nowMs() - askedMs < REQUEST_LASTS_MS;
  }
}
