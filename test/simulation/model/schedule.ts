// What a scheduled switchover has done, on models. When, whether and how often is decided by the
// real SwitchoverSchedule (src/agent/schedule.ts), and to whom by the real chooseSuccessor.
import type { ScheduleSteps } from "../../../src/agent/schedule.ts";
import { UnderstudyError } from "../../../src/core/errors.ts";
import { chooseSuccessor } from "../../../src/core/protocol/successor.ts";
import { handOver } from "./hand-over.ts";
import type { ModelContext, ModelMember } from "./member.ts";
import type { Steps } from "./steps.ts";
import { endOf } from "./wal.ts";

export function scheduleSteps(steps: Steps): ScheduleSteps<ModelMember> {
  return {
    obstacle: async ({ member }) => {
      member.around.onlooker.scheduleComes(member.name);
      return null;
    },
    bestSuccessor: async (context) => bestSuccessor(context),
    handOver: (context) => handOver(steps, context),
  };
}

/** As src/agent/best-successor.ts. */
function bestSuccessor({ member, record }: ModelContext): string {
  const { model, around, disk } = member;
  const end = disk.data === null ? 0 : endOf(disk.data).lsn;
  const others = Object.keys(record.members).filter((name) => name !== member.name);
  const standbys = others.map((name) => {
    const isStreaming = model.gate.hasSenderTo(name);
    const data = around.neighbour(name)?.server.disk.data ?? null;
    const replayLagBytes = isStreaming && data !== null ? end - endOf(data).lsn : null;
    return { name, isStreaming, replayLagBytes };
  });
  const choice = chooseSuccessor(record, standbys);
  if (choice.name !== null) return choice.name;
  throw new UnderstudyError("SWITCHOVER_REFUSED", choice.why);
}
