// Waits until a diverged member may be rewound, or copied anew: nobody else is, and another member
// beside the primary has all that the cluster has, where there is one that can.
import { setTimeout as delay } from "node:timers/promises";
import {
  AWAITS_REWIND,
  whyNotYetRewound,
  type TurnNeighbour,
} from "../../core/protocol/rewind-turn.ts";
import { UnderstudyError } from "../../core/errors.ts";
import { RewindTurnLock } from "../../postgres/rewind/turn-lock.ts";
import type { Leader } from "../member.ts";
import { askNeighbours, type Neighbours } from "../neighbours.ts";
import type { EffectContext } from "./effect.ts";
import { rewindLogins } from "./rewind-role.ts";

/**
 * One pass; the loop has another begin soon, and sees before whether that is what is to be done.
 */
const PASS_LIMIT_MS = 600_000;
const POLL_MS = 100;
/** What takes no longer is nothing to tell of. */
const TOLD_AFTER_MS = 1_000;

/**
 * @returns the turn, to be disposed of when the member has started again; null: not yet.
 * @throws UnderstudyError CONNECTION_FAILED when the primary has gone, or refuses its role of the
 * rewind; or the signal's reason.
 */
export async function takeRewindTurn(
  context: EffectContext,
  leader: Leader,
): Promise<RewindTurnLock | null> {
  const { member, signal } = context;
  const lock = await RewindTurnLock.open(rewindLogins(member, leader).source, signal);
  try {
    if (await awaitTurn(context, { lock, leader })) return lock;
  } catch (thrown) {
    lock[Symbol.dispose]();
    throw thrown;
  }
  lock[Symbol.dispose]();
  return null;
}

/**
 * Before all that a member has gives way to a copy. Only until that has begun: who copies is seen
 * by the others, and waited for.
 * @returns false: not yet.
 * @throws as takeRewindTurn, but a primary that refuses the role gives turns to nobody.
 */
export async function mayGiveWay(context: EffectContext, leader: Leader): Promise<boolean> {
  try {
    using turn = await takeRewindTurn(context, leader);
    await turn?.confirm(leader.timeline);
    return turn !== null;
  } catch (thrown) {
    if (isRefusal(thrown)) return true;
    throw thrown;
  }
}

/**
 * It will be the same the next time: no such role (SQLSTATE class 28), no such database (3D), no
 * right (42), no connection left (53).
 */
export function isRefusal(thrown: unknown): boolean {
  if (!(thrown instanceof UnderstudyError) || thrown.code !== "CONNECTION_FAILED") return false;
  return /^(28|3D|42|53)/.test(String(thrown.details["code"] ?? ""));
}

async function awaitTurn(
  context: EffectContext,
  { lock, leader }: { lock: RewindTurnLock; leader: Leader },
): Promise<boolean> {
  const { member, record, decision, signal } = context;
  const begunMs = member.clock.nowMs();
  const asked = Object.keys(record.members).filter((name) => name !== leader.name);
  let hasTurn = false;
  let isTold = false;
  for (;;) {
    hasTurn ||= await lock.take();
    const others = turnNeighbours(await askNeighbours(member, record, asked));
    signal.throwIfAborted();
    const waitedMs = member.clock.nowMs() - begunMs;
    const why = whyNotYetRewound({ self: member.name, hasTurn, others, waitedMs });
    if (why === null) return true;
    if (waitedMs >= PASS_LIMIT_MS) return false;
    const step = { bytesDone: null, bytesTotal: null, remainingSeconds: null };
    member.progress({ step: AWAITS_REWIND, ...step });
    if (!isTold && waitedMs >= TOLD_AFTER_MS) {
      isTold = true;
      member.event({
        event: "rewind-waits",
        rule: decision.rule,
        message: `${member.name} has diverged and keeps its data as they are until it can be made anew: ${why}.`,
      });
    }
    // A primary that has gone frees whoever waits: this may be the last one that has anything.
    if (hasTurn) await lock.confirm(leader.timeline);
    await delay(POLL_MS, undefined, { signal });
  }
}

function turnNeighbours(answers: Neighbours): TurnNeighbour[] {
  return [...answers.values()].map(({ name, role, state, progress }) => ({
    name,
    role,
    state,
    awaitsRewind: progress?.step === AWAITS_REWIND,
  }));
}
