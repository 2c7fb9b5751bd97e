// What a leader rests on while the store is away: every member of the last known record confirms it
// for its term, and promises by that to take its lease for as long as it lasts neither by time nor
// by a word that is not the leader's own (docs/protocol.md, "While the store is away").
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { EffectKind } from "../core/protocol/rules.ts";
import type { ClusterRecord } from "../core/record.ts";
import { holdsLease } from "../core/record-changes.ts";
import type { Secret } from "../core/secret.ts";
import type { Member } from "./member.ts";
import { postToAgent, type Trust } from "./peer.ts";

export interface Claim {
  readonly leader: string;
  readonly term: number;
  /** For so long, from when it is confirmed, the promise holds. */
  readonly ttlMs: number;
  /** All that the leader knows of, and asks. */
  readonly members: readonly string[];
}

/** Of an agent that has it in memory. */
const ANSWER_LIMIT_MS = 500;

/** During these the lease may be changing hands at this very moment. */
const CHANGES_THE_LEAD: ReadonlySet<string> = new Set<EffectKind>([
  "take-lease",
  "bootstrap",
  "give-up-lease",
  "step-down",
  "open-election",
  "stand",
  "promote",
  "resign",
]);

/** @returns who does not confirm the record's leader, and why; nobody where all others do. */
export async function doubtersOf(
  record: ClusterRecord,
  of: { self: string; token: Secret; trust: (member: string) => Trust | null },
): Promise<readonly { readonly member: string; readonly why: string }[]> {
  const { self, token, trust } = of;
  const { term, ttlMs } = record;
  const claim: Claim = { leader: self, term, ttlMs, members: Object.keys(record.members) };
  const others = Object.entries(record.members).filter(([name]) => name !== self);
  const answers = await Promise.all(
    others.map(async ([member, address]) => {
      const request = { path: "/confirm", body: { ...claim, member }, token };
      try {
        await postToAgent(address, {
          ...request,
          trust: trust(member),
          timeoutMs: ANSWER_LIMIT_MS,
        });
        return [];
      } catch (thrown) {
        // No answer is a doubt: it may be about to take the lease.
        return [{ member, why: messageOf(thrown) }];
      }
    }),
  );
  return answers.flat();
}

/**
 * @param by.isUncertain whether a change that this member has sent may have been applied or not
 * @throws UnderstudyError REFUSED where this member knows of another leader, term or member, or may
 * be about to change who leads.
 */
export function requireConfirmed(
  claim: Claim,
  by: {
    member: string;
    record: ClusterRecord | null;
    effect: string | null;
    isUncertain: boolean;
  },
): void {
  const doubt = doubtOf(claim, by);
  if (doubt === null) return;
  throw new UnderstudyError(
    "REFUSED",
    `${by.member} does not confirm ${claim.leader} as the leader of term ${claim.term}: ${doubt}`,
  );
}

function doubtOf(
  claim: Claim,
  by: { record: ClusterRecord | null; effect: string | null; isUncertain: boolean },
): string | null {
  const { record, effect, isUncertain } = by;
  if (record === null) return "it has not read the record yet";
  if (!holdsLease(record, { member: claim.leader, term: claim.term }))
    return `it knows ${record.leader?.member ?? "nobody"} as the leader, and term ${record.term}`;
  const unknown = Object.keys(record.members).filter((name) => !claim.members.includes(name));
  // Whoever is not asked promises nothing.
  if (unknown.length > 0) return `it knows of ${unknown.join(", ")} as well`;
  if (effect !== null && CHANGES_THE_LEAD.has(effect)) return `it is busy (${effect})`;
  return isUncertain ? "it does not know what became of its own change of the record" : null;
}

/**
 * Whom this member has confirmed as the leader of the record's term, and must not succeed yet; null
 * where nobody. A leader that has freed the lease itself, and one whose server is gone, takes no
 * writes any more, whatever was promised.
 */
export function promisedLeader(
  {
    keeper,
    witness,
  }: { keeper: Member["keeper"]; witness: Pick<Member["witness"], "hasNoServer"> },
  record: Pick<ClusterRecord, "term" | "ended">,
): string | null {
  const leader = keeper.promisedIn(record.term);
  if (leader === null) return null;
  const { ended } = record;
  if (ended?.member === leader && ended.by === leader) return null;
  return witness.hasNoServer(leader) ? null : leader;
}
