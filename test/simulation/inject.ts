// Has a fault happen, and end.
import type { WallClock } from "./life.ts";
import type { SimulatedStore } from "./model/store.ts";
import type { Fault } from "./faults.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedMember } from "./simulated-member.ts";

export interface Stage {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly members: ReadonlyMap<string, SimulatedMember>;
  readonly store: SimulatedStore;
  readonly cuts: Set<string>;
  readonly wallClock: WallClock;
  readonly askForSwitchover: (to: string) => void;
  readonly onEvent: (who: string, text: string) => void;
}

const HOUR_MS = 3_600_000;

export function inject(fault: Fault, stage: Stage): void {
  const member = memberOf(fault, stage);
  if (member === undefined) return;
  const later = (run: () => void) => void stage.scheduler.at(fault.lastsMs, run);
  const { store } = stage;
  switch (fault.kind) {
    case "agent crashes":
      member.crashAgent();
      return later(() => member.startAgent());
    case "agent is paused":
      member.pauseAgent();
      return later(() => member.resumeAgent());
    case "PostgreSQL is killed":
      return member.server.crash();
    case "postmaster alone is killed":
      return member.server.killPostmaster();
    case "backend crashes":
      return member.server.crashBackend();
    case "member is killed whole":
      kill(member);
      return later(() => member.startAgent());
    case "everything is killed":
      for (const each of stage.members.values()) {
        kill(each);
        // They come back one after the other, in any order.
        stage.scheduler.at(stage.random.between(0, fault.lastsMs), () => each.startAgent());
      }
      return;
    case "data directory is lost":
      return loseData(member, stage);
    case "store does not answer":
      for (const { name } of stage.members.values()) store.faults.cut.add(name);
      return later(() => reconnect(stage, [...stage.members.keys()]));
    case "store is cut from one member":
      store.faults.cut.add(member.name);
      return later(() => reconnect(stage, [member.name]));
    case "store is slow":
      store.faults.slowMs = stage.random.between(100, 3_000);
      return later(() => void (store.faults.slowMs = 0));
    case "store loses answers":
      store.faults.lostAnswers = 0.3;
      return later(() => void (store.faults.lostAnswers = 0));
    case "network is cut between two":
      stage.cuts.add(`${member.name} ${fault.other}`);
      return later(() => void stage.cuts.delete(`${member.name} ${fault.other}`));
    case "wall clock jumps":
      stage.wallClock.offsetMs += stage.random.pick([-1, 1]) * HOUR_MS;
      return;
    case "switchover is asked for":
      return stage.askForSwitchover(fault.other);
  }
}

function memberOf(fault: Fault, { members, store }: Stage): SimulatedMember | undefined {
  if (fault.member !== "the primary") return members.get(fault.member);
  const writable = [...members.values()].find(({ server }) => server.isWritable);
  return writable ?? members.get(store.record.leader?.member ?? fault.other);
}

function kill(member: SimulatedMember): void {
  member.crashAgent();
  member.server.crash();
}

/** Not the last data of the cluster: nothing could bring that back. */
function loseData(member: SimulatedMember, { members, store, onEvent }: Stage): void {
  const isElsewhere = [...members.values()].some(
    ({ server }) =>
      server !== member.server &&
      server.disk.data?.isWhole === true &&
      server.disk.data.freshCopy === null,
  );
  if (!isElsewhere || store.record.systemId === null)
    return onEvent("faults", "not: its last data");
  member.server.crash();
  member.server.disk.data = null;
}

function reconnect({ store }: Stage, names: readonly string[]): void {
  for (const name of names) store.faults.cut.delete(name);
  store.healed();
}
