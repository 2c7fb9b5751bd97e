// From whom a standby streams at this moment: the member that it was told to, or the primary while
// that one cannot serve it. Pure; what is set is in core/cascade.ts.

/** What another member says of itself. */
export interface Neighbour {
  readonly name: string;
  /** A standby that streams on the leader's timeline. */
  readonly isStreaming: boolean;
  /** Whom it streams from. */
  readonly upstream: string | null;
}

export interface UpstreamQuestion {
  readonly self: string;
  readonly leader: string;
  /** See configuredUpstream. */
  readonly configured: string;
  /** Whom this member was last pointed at. */
  readonly current: string | null;
  /** It receives on the leader's timeline. */
  readonly isStreaming: boolean;
  /** Those that answer. */
  readonly neighbours: readonly Neighbour[];
  /** For how long the configured one has not been able to serve. */
  readonly unusableForMs: number;
}

/**
 * A member that streams changes every moment while another leads, and each change of the upstream
 * costs a restart up to 12.
 */
const PATIENCE_MS = 5_000;

export function chooseUpstream(question: UpstreamQuestion): string {
  const { leader, configured, current, isStreaming, unusableForMs } = question;
  if (configured === leader || canServe(question, configured)) return configured;
  if (current !== configured) return leader;
  // What serves it may be without its agent for a while.
  const isGone = !isStreaming || isAnsweringWithout(question, configured);
  return isGone && unusableForMs >= PATIENCE_MS ? leader : configured;
}

/** The leader can; a standby can while it streams itself, and not from this member. */
export function canServe(
  question: Pick<UpstreamQuestion, "self" | "leader" | "neighbours">,
  name: string,
): boolean {
  const { self, leader, neighbours } = question;
  const passed = new Set<string>([self]);
  for (let at: string | null = name; at !== leader;) {
    const found = neighbours.find((each) => each.name === at);
    if (found === undefined || !found.isStreaming || passed.has(found.name)) return false;
    passed.add(found.name);
    at = found.upstream;
  }
  return true;
}

/** It answers, and does not stream. */
function isAnsweringWithout({ neighbours }: UpstreamQuestion, name: string): boolean {
  return neighbours.some((each) => each.name === name && !each.isStreaming);
}
