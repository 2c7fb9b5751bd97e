// Rewinding a stopped member whose WAL has diverged, as src/agent/effects/rewind.ts: what only it
// had is kept first, and whatever fails leaves a marker, under which the primary is copied.
import type { Leader } from "../../../src/agent/member.ts";
import { UnderstudyError } from "../../../src/core/errors.ts";
import type { Lsn } from "../../../src/core/lsn.ts";
import { copyOf, sourceOf } from "./clone.ts";
import type { ModelContext, ModelMember } from "./member.ts";
import { confirmTurn, isGoingOn } from "./rewind-turn.ts";
import { startAsStandby } from "./start.ts";
import type { Steps, WalPosition } from "./steps.ts";
import { toLsn, type DataDirectory } from "./wal.ts";

/** Tablespaces, a missing segment, too much of it: each a reason to copy instead. */
const OBSTACLE = 0.15;
const FAILURE = 0.1;

/** @returns why it must be copied anew; null when a rewind may be tried. */
export function whyNotRewind(
  member: ModelMember,
  { leader, end }: { leader: Leader; end: WalPosition },
): string | null {
  if (!member.canRewind) return "the PostgreSQL installation has no pg_rewind";
  if (end.timeline === leader.timeline) return "it is on that timeline itself";
  return member.random.chance(OBSTACLE) ? "there are tablespaces" : null;
}

export async function rewind(
  steps: Steps,
  context: ModelContext,
  diverged: { leader: Leader; switchPoint: Lsn; remember: () => Promise<void> },
): Promise<void> {
  const { member, signal } = context;
  const { disk, random, around } = member;
  const { leader, switchPoint, remember } = diverged;
  const turn = await steps.takeRewindTurn(context, leader);
  if (turn === null) return;
  member.doing.rewind = "goes on";
  using _ = {
    [Symbol.dispose]: () => {
      member.doing.rewind = null;
      turn.isOver = true;
    },
  };
  const { data } = disk;
  if (data === null) throw new UnderstudyError("DATA_MISSING", `${member.name} has lost its data`);
  const from = firstBeyond(data, switchPoint);
  steps.keepWal(member, from);
  await confirmTurn(member, { turn, leader });
  signal.throwIfAborted();
  steps.writeMarker(member);
  around.onlooker.remade(member.name, "rewound");
  around.onlooker.rewindBegins(turn);
  around.onlooker.destroyed(data, { member: member.name, announced: false, from });
  // Its pages are overwritten from here on, and what an abort leaves is worthless.
  disk.data = {
    ...data,
    wal: [],
    flushed: 0,
    slots: new Set(),
    isWhole: false,
    freshCopy: null,
  };
  try {
    const source = sourceOf(member, leader.name);
    disk.data = await copyOf(member, { from: leader.name, source, signal });
    if (!isGoingOn(turn))
      throw new UnderstudyError("REWIND_FAILED", `${leader.name} has restarted`);
    if (random.chance(FAILURE)) throw new UnderstudyError("REWIND_FAILED", "WAL was missing");
  } catch (thrown) {
    signal.throwIfAborted();
    return member.event({ event: "rewind-failed", message: String(thrown) });
  }
  await remember();
  disk.marker = false;
  try {
    await startAsStandby(steps, context, leader.name);
  } catch (thrown) {
    if (!(thrown instanceof UnderstudyError) || thrown.code !== "START_FAILED") throw thrown;
    steps.writeMarker(member);
  }
}

function firstBeyond({ wal }: DataDirectory, switchPoint: Lsn): number {
  const place = wal.findIndex(({ lsn }) => toLsn(lsn) > switchPoint);
  return place < 0 ? wal.length : place;
}
