// A primary whose PostgreSQL has crashed looks for a standby to hand over to before it starts
// again: a machine that is slow enough to be late with an answer is slow to recover as well.
import type { Ballot } from "../../core/protocol/election.ts";
import type { Clock } from "../clock.ts";

/** Between two rounds of questions. */
const PAUSE_MS = 50;

/**
 * Whether anybody can lead instead. True with the first who can; false when all have said, or are
 * proven, that they cannot, or when the time is over.
 * @param of.ask asks all others for at most so long; each answers by itself and never throws
 */
export async function awaitSuccessor(of: {
  ask: (timeoutMs: number) => readonly Promise<Ballot>[];
  clock: Clock;
  limitMs: number;
  signal: AbortSignal;
}): Promise<boolean> {
  const { ask, clock, limitMs, signal } = of;
  const endMs = clock.nowMs() + limitMs;
  for (;;) {
    signal.throwIfAborted();
    const leftMs = endMs - clock.nowMs();
    if (leftMs <= 0) return false;
    const answers = ask(Math.ceil(leftMs));
    if (await someOf(answers.map(async (answer) => mayLead(await answer)))) return true;
    // Who does not answer and is not proven to be gone may be just about to: it starts, or its
    // agent is being started again.
    const ballots = await Promise.all(answers);
    if (!ballots.some(({ kind }) => kind === "silent")) return false;
    await new Promise<void>((resolve) => clock.setTimer(PAUSE_MS, resolve));
  }
}

/** A delayed one has more to replay than this member has to recover. */
function mayLead(ballot: Ballot): boolean {
  return ballot.kind === "up" && !ballot.barred && ballot.delayed !== true;
}

/** As soon as one of them is true. */
function someOf(answers: readonly Promise<boolean>[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    for (const answer of answers) answer.then((yes) => yes && resolve(true), reject);
    void Promise.allSettled(answers).then(() => resolve(false));
  });
}
