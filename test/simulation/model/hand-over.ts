// A switchover from the old primary's side, on models: as src/agent/effects/hand-over.ts.
import { UnderstudyError } from "../../../src/core/errors.ts";
import {
  beginSwitchover,
  releaseLease,
  withdrawSwitchover,
} from "../../../src/core/record-changes.ts";
import type { Scheduled } from "../../../src/core/protocol/schedule.ts";
import type { ModelContext } from "./member.ts";
import type { Steps } from "./steps.ts";
import { tellStream } from "./supply.ts";

const STATUS_LIMIT_MS = 2_000;

export async function handOver(
  steps: Steps,
  situation: ModelContext & { to: string; scheduled?: Scheduled },
): Promise<void> {
  const { member, record, to, signal } = situation;
  const obstacle = await whyNot(situation);
  if (obstacle !== null) throw new UnderstudyError("SWITCHOVER_REFUSED", obstacle);
  await member.life.sleep(member.random.between(20, 300), signal);
  const plan = { from: member.name, to, term: record.term, ...steps.scheduleOf(situation) };
  if ((await member.keeper.change((current) => beginSwitchover(current, plan))) === null)
    throw new UnderstudyError("SWITCHOVER_REFUSED", "the record has changed");
  member.event({ event: "switchover-begun", message: to });
  try {
    const end = await steps.shutDown(situation);
    await steps.successorHasAll({ ...situation, end });
    const holder = { member: member.name, term: record.term, heir: to };
    const released = await member.keeper.change((current) => releaseLease(current, holder));
    if (released === null) throw new UnderstudyError("SWITCHOVER_FAILED", "the lease is gone");
    member.event({ event: "handed-over", message: to });
  } catch (thrown) {
    await member.keeper.change(withdrawSwitchover).catch(() => null);
    member.event({ event: "switchover-undone", message: to });
    throw thrown;
  }
}

async function whyNot({
  member,
  record,
  to,
}: ModelContext & { to: string }): Promise<string | null> {
  if (!(to in record.members)) return `the cluster has no member ${to}`;
  if (to === member.name) return `${to} is the primary already`;
  if (record.switchover !== null) return "a switchover is under way";
  if (!member.keeper.holdsLease || !member.model.isWritable) return "this is not the primary";
  const status = await member.around
    .askAgent(member, { to, limitMs: STATUS_LIMIT_MS, answer: tellStream })
    .catch(() => null);
  if (status === null) return `the agent of ${to} does not answer`;
  if (!status.isStreaming) return `${to} does not stream, and must`;
  // One that streams through another standby tells itself how far it is.
  const isCascaded = status.upstream !== member.name;
  const isPeer = member.model.gate.hasSenderTo(to);
  return isPeer || isCascaded ? null : `${to} does not stream from ${member.name}`;
}
