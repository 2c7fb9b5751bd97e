// Waiting for the turn at being rewound, as src/agent/effects/rewind-turn.ts and the primary's
// advisory lock, which ends with the process that has it, or with the primary's own.
import type { Leader } from "../../../src/agent/member.ts";
import { UnderstudyError } from "../../../src/core/errors.ts";
import { whyNotYetRewound, type TurnNeighbour } from "../../../src/core/protocol/rewind-turn.ts";
import type { Life } from "../life.ts";
import type { ModelContext, ModelMember } from "./member.ts";
import type { ModelServer } from "./server.ts";
import { ownHistory } from "./wal.ts";

/** A session at the primary, and what a rewind that goes on reads from. */
export interface RewindTurn {
  readonly member: string;
  readonly life: Life;
  /** Of the primary: its sessions end with it. */
  readonly leader: { readonly server: ModelServer; readonly life: number };
  isOver: boolean;
}

const CONNECT_LIMIT_MS = 5_000;
const ASK_LIMIT_MS = 500;
const PASS_LIMIT_MS = 600_000;
const POLL_MS = 100;

/** @returns null where it is not its turn yet. @throws UnderstudyError CONNECTION_FAILED. */
export async function takeRewindTurn(
  context: ModelContext,
  leader: Leader,
): Promise<RewindTurn | null> {
  const turn = await openTurn(context.member, leader);
  try {
    if (await awaitTurn(context, { turn, leader })) return turn;
  } catch (thrown) {
    turn.isOver = true;
    throw thrown;
  }
  turn.isOver = true;
  return null;
}

export function openTurn({ name, life, around }: ModelMember, leader: Leader): Promise<RewindTurn> {
  return around.askServer(
    { name, life },
    {
      to: leader.name,
      limitMs: CONNECT_LIMIT_MS,
      answer: (server) => ({
        member: name,
        life,
        leader: { server, life: server.life },
        isOver: false,
      }),
    },
  );
}

/** @throws UnderstudyError CONNECTION_FAILED, as the last question before data are given up. */
export function confirmTurn(member: ModelMember, of: { turn: RewindTurn; leader: Leader }) {
  return askPrimary(member, of, ({ disk: { data }, isWritable }) => {
    if (isWritable && data !== null && ownHistory(data).timeline === of.leader.timeline) return;
    throw new UnderstudyError("CONNECTION_FAILED", `${of.leader.name} leads no more`);
  });
}

export function isGoingOn({ life, leader, isOver }: RewindTurn): boolean {
  return !isOver && life.isAlive && leader.server.life === leader.life;
}

async function awaitTurn(
  { member, record, signal }: ModelContext,
  of: { turn: RewindTurn; leader: Leader },
): Promise<boolean> {
  const { clock, life, doing } = member;
  const begunMs = clock.nowMs();
  const asked = Object.keys(record.members).filter(
    (name) => name !== member.name && name !== of.leader.name,
  );
  let hasTurn = false;
  try {
    for (;;) {
      hasTurn ||= await askPrimary(member, of, (server) => take(server, of.turn));
      const others = await askNeighbours(member, asked);
      signal.throwIfAborted();
      const waitedMs = clock.nowMs() - begunMs;
      const question = { self: member.name, hasTurn, others, waitedMs };
      if (whyNotYetRewound(question) === null) return true;
      if (waitedMs >= PASS_LIMIT_MS) return false;
      doing.rewind = "waits";
      if (hasTurn) await confirmTurn(member, of);
      await life.sleep(POLL_MS, signal);
    }
  } finally {
    doing.rewind = null;
  }
}

function take(server: ModelServer, turn: RewindTurn): boolean {
  if (server.rewindTurn === null || !isGoingOn(server.rewindTurn)) server.rewindTurn = turn;
  return server.rewindTurn === turn;
}

/** Over the turn's own connection. */
function askPrimary<T>(
  { name, life, around }: ModelMember,
  of: { turn: RewindTurn; leader: Leader },
  answer: (server: ModelServer) => T,
): Promise<T> {
  return around.askServer(
    { name, life },
    {
      to: of.leader.name,
      limitMs: CONNECT_LIMIT_MS,
      answer: (server) => {
        if (isGoingOn(of.turn)) return answer(server);
        throw new UnderstudyError("CONNECTION_FAILED", `${of.leader.name} has restarted`);
      },
    },
  );
}

async function askNeighbours(
  member: ModelMember,
  asked: readonly string[],
): Promise<TurnNeighbour[]> {
  const answers = asked.map((to) =>
    member.around
      .askAgent(member, { to, limitMs: ASK_LIMIT_MS, answer: (other) => other.tellTurn() })
      .catch(() => null),
  );
  return (await Promise.all(answers)).filter((answer) => answer !== null);
}
