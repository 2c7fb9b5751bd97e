// Which timelines are the same. Two members can each begin a timeline of the same number at the
// same position (lesson 19), and nothing on their disks tells the two apart. But no term has two
// leaders, so a timeline is identified by its number and the term in which it was begun.
import * as v from "valibot";

export const forkSchema = v.object({
  timeline: v.number(),
  /** Of the leader that began it. */
  term: v.number(),
});

export type Fork = v.InferOutput<typeof forkSchema>;

/**
 * Older ones are not told apart any more; members that lag so far behind are copied anew for other
 * reasons.
 */
const FORKS_LIMIT = 50;

/** The forks of a primary that has just begun another timeline. */
export function withFork(forks: readonly Fork[], begun: Fork): Fork[] {
  return [...forks.filter(({ timeline }) => timeline < begun.timeline), begun].slice(-FORKS_LIMIT);
}

/**
 * Whether a timeline that a member is on is the one of that number in the primary's history.
 * Unknown on either side counts as another one, but for the first timeline, which initdb makes once
 * in a system's life, and those older than the primary remembers.
 */
export function isSameFork(
  timeline: number,
  of: { readonly member: readonly Fork[]; readonly primary: readonly Fork[] },
): boolean {
  if (timeline === 1) return true;
  const own = of.member.find((fork) => fork.timeline === timeline);
  const theirs = of.primary.find((fork) => fork.timeline === timeline);
  if (theirs === undefined) {
    const oldest = of.primary[0]?.timeline ?? 0;
    return timeline < oldest && of.primary.length >= FORKS_LIMIT;
  }
  return own?.term === theirs.term;
}

/** Both know who began it, and it was not the same. */
export function isKnownToDiffer(
  timeline: number,
  of: { readonly member: readonly Fork[]; readonly primary: readonly Fork[] },
): boolean {
  const [own, theirs] = [of.member, of.primary].map((forks) =>
    forks.find((fork) => fork.timeline === timeline),
  );
  return own !== undefined && theirs !== undefined && own.term !== theirs.term;
}
