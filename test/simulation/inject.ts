// Has a fault happen, and end.
import { PRIMARY } from "../../src/core/config/member-keys.ts";
import { describeFault, type Fault, type FaultKind, type Whom } from "./faults.ts";
import { wallMs, type MachineClock } from "./life.ts";
import type { Moments } from "./moments.ts";
import { STORE, type Network, type Weather } from "./model/network.ts";
import type { SimulatedStore } from "./model/store.ts";
import type { Person } from "./person.ts";
import { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedMember } from "./simulated-member.ts";

export interface Stage {
  readonly scheduler: Scheduler;
  /** All that there may be, whether the record has them or not. */
  readonly members: ReadonlyMap<string, SimulatedMember>;
  readonly machineClocks: ReadonlyMap<string, MachineClock>;
  readonly store: SimulatedStore;
  readonly network: Network;
  readonly person: Person;
  readonly moments: Moments;
  /** How what still lasts is ended. */
  readonly ends: Set<() => void>;
  /** No fault begins any more. */
  readonly isOver: () => boolean;
  readonly onFault: (kind: FaultKind) => void;
  readonly onEvent: (who: string, text: string) => void;
}

/** A fault waits so long for its moment. */
const WAIT_MS = 40_000;
/** It comes at most so long after it: before anybody hears of it, before some do, or later. */
const AFTER_MS = [0, 3, 80] as const;
const HOUR_MS = 3_600_000;
/** What waits for a clock that was set back waits longest. */
const JUMPS_MS = [-HOUR_MS, -HOUR_MS, -HOUR_MS, HOUR_MS, -60_000, 60_000, -2_000, 2_000] as const;
const SYNC_SETTINGS = [
  "sync=on required=1 whenUnavailable=block",
  "sync=on required=1 whenUnavailable=degrade",
  "sync=on required=2",
  "required=1",
  "whenUnavailable=block",
  "whenUnavailable=degrade",
  "sync=on",
  "sync=off",
] as const;
const TAGS = [
  "nofailover=on",
  "nofailover=on",
  "nofailover=off",
  "priority=10",
  "priority=-10",
] as const;
const ROUGH: Weather = { lost: 0.25, doubled: 0.15, slow: 0.2, slowMs: 1_500 };
const SLOW: Weather = { lost: 0, doubled: 0, slow: 0.9, slowMs: 4_000 };

export function inject(fault: Fault, stage: Stage): void {
  if (fault.moment === null) return begin(fault, stage);
  const trap = (about: string): void => {
    if (!remove()) return;
    const random = new Random(fault.dice, 1);
    const afterMs = random.between(0, random.pick(AFTER_MS));
    const met = fault.member === "the primary" ? { ...fault, member: about } : fault;
    stage.scheduler.at(afterMs, () => begin(met, stage));
  };
  const remove = stage.moments.await(fault.moment, trap);
  const end = () => {
    stage.ends.delete(end);
    remove();
  };
  stage.ends.add(end);
  stage.scheduler.at(WAIT_MS, end);
}

function begin(fault: Fault, stage: Stage): void {
  const member = memberOf(fault, stage);
  const other = stage.members.get(fault.other);
  if (stage.isOver() || member === undefined || other === undefined) return;
  stage.onFault(fault.kind);
  stage.onEvent("faults", describeFault({ ...fault, member: member.name }));
  happen(fault, { ...stage, member, other, random: new Random(fault.dice) });
}

type Scene = Stage & {
  readonly member: SimulatedMember;
  readonly other: SimulatedMember;
  readonly random: Random;
};

function happen(fault: Fault, scene: Scene): void {
  const { member, other, person, network, random } = scene;
  const { server, name } = member;
  const until = (end: () => void) => endLater(scene, { afterMs: fault.lastsMs, end });
  switch (fault.kind) {
    case "agent crashes":
      return member.crashAgent();
    case "agent and deadman are killed":
      member.crashBoth();
      return until(() => member.startAgent());
    case "agent is paused":
      member.pauseAgent();
      return until(() => member.resumeAgent());
    case "member is frozen":
      member.freeze(random.pick(["by a signal", "in a freezer"]));
      return until(() => member.thaw());
    case "PostgreSQL is killed":
      return server.crash();
    case "postmaster alone is killed":
      return server.killPostmaster();
    case "postmaster is stopped by a signal":
      server.hold();
      return until(() => server.letGo());
    case "backend crashes":
      return server.crashBackend();
    case "member is killed whole":
      kill(member);
      return until(() => member.startAgent());
    case "everything is killed":
      return killEverything(fault, scene);
    case "data directory is lost":
      return loseData(scene);
    case "member is lost with its disk":
      kill(member);
      loseData(scene);
      return until(() => member.startAgent());
    case "two are lost with their disks":
      for (const each of [member, other]) {
        kill(each);
        loseData({ ...scene, member: each });
      }
      return until(() => [member, other].forEach((each) => each.startAgent()));
    case "disk is full":
      server.disk.isFull = true;
      return until(() => void (server.disk.isFull = false));
    case "wall clock jumps":
      return jump(scene);
    case "switchover is asked for":
      return person.askForSwitchover(other.name);
    case "switchover is asked for twice":
      person.askForSwitchover(other.name);
      return void scene.scheduler.at(random.between(0, 500), () =>
        person.askForSwitchover(random.pick([other.name, name])),
      );
    case "cluster is paused":
      person.pause(true);
      return until(() => person.pause(false));
    case "member is added":
      return person.add(other);
    case "member is removed":
      return person.remove(member);
    case "member is stopped for a while":
      person.stop(member);
      return until(() => person.start(member));
    case "member is restarted":
      return person.restart(member);
    case "member is copied anew":
      return person.reclone(member);
    case "synchronous replication is changed":
      return person.configure(random.pick(SYNC_SETTINGS));
    case "member is fenced":
      person.fence(name);
      return until(() => person.unfence(name));
    case "member's tags are changed":
      return person.configure(random.pick(TAGS), name);
    case "switchover is scheduled": {
      const offsetMs = scene.machineClocks.get(name)?.offsetMs ?? 0;
      const inMs = random.between(500, 15_000);
      const at = new Date(wallMs(scene.scheduler.nowMs, { offsetMs }) + inMs);
      return person.schedule(at, random.chance(0.5) ? other.name : null);
    }
    case "scheduled switchover is cancelled":
      return person.cancelScheduled();
    case "connections are all taken":
      server.door.isCrowded = true;
      return until(() => void (server.door.isCrowded = false));
    case "member's upstream is changed":
      return person.configure(`from=${random.chance(0.8) ? other.name : PRIMARY}`, name);
    default:
      for (const end of disturb(fault, scene)) until(end);
      return void network;
  }
}

/** What meets the network alone. @returns how each of it is ended. */
function disturb(fault: Fault, scene: Scene): (() => void)[] {
  const { member, other, members, network } = scene;
  const names = [...members.keys()];
  const both = (one: string, two: string) => [network.cut(one, two), network.cut(two, one)];
  const everywhere = (weather: Weather) =>
    names.flatMap((name) => [
      network.setWeather({ from: name, to: STORE, weather }),
      network.setWeather({ from: STORE, to: name, weather }),
    ]);
  const between = (weather: Weather) => [
    network.setWeather({ from: member.name, to: other.name, weather }),
    network.setWeather({ from: other.name, to: member.name, weather }),
  ];
  switch (fault.kind) {
    case "store does not answer":
      return names.flatMap((name) => both(name, STORE));
    case "store is cut from one member":
      return both(member.name, STORE);
    case "store does not hear one member":
      return [network.cut(member.name, STORE)];
    case "one member does not hear the store":
      return [network.cut(STORE, member.name)];
    case "store is slow":
      return everywhere(SLOW);
    case "store's messages are lost":
      return everywhere(ROUGH);
    case "network is cut between two":
      return both(member.name, other.name);
    case "network is cut in one direction":
      return [network.cut(member.name, other.name)];
    case "member is cut off from the others":
      return names.flatMap((name) => (name === member.name ? [] : both(member.name, name)));
    case "network is slow":
      return between(SLOW);
    case "network loses messages":
      return between(ROUGH);
    default:
      return [];
  }
}

function endLater(scene: Scene, of: { afterMs: number; end: () => void }): void {
  const { ends, scheduler } = scene;
  const once = () => {
    if (ends.delete(once)) of.end();
  };
  ends.add(once);
  scheduler.at(of.afterMs, once);
}

function memberOf(fault: Fault, { members, store }: Stage): SimulatedMember | undefined {
  const { member, other, dice } = fault;
  if (!isWhom(member)) return members.get(member);
  const writable = [...members.values()].find(({ server }) => server.isWritable);
  const primary = writable ?? members.get(store.record.leader?.member ?? other);
  if (member === "the primary") return primary;
  const standbys = Object.keys(store.record.members).filter((name) => name !== primary?.name);
  const tags = Object.values(store.record.members).map((each) => each.tags);
  const upstreams = standbys.filter((name) => tags.some(({ from }) => from === name));
  const those = member === "an upstream" && upstreams.length > 0 ? upstreams : standbys;
  return members.get(those[dice % those.length] ?? other);
}

function isWhom(member: string): member is Whom {
  return member === "the primary" || member === "a standby" || member === "an upstream";
}

function kill(member: SimulatedMember): void {
  member.crashBoth();
  member.server.crash();
}

/**
 * They come back one after the other, in any order; the one with the most WAL last, or not at all.
 */
function killEverything({ lastsMs }: Fault, scene: Scene): void {
  const { members, random } = scene;
  const all = [...members.values()];
  const newest = all.toSorted((one, other) => walOf(other) - walOf(one))[0];
  const fate = random.pick(["as others", "last", "not before the end"] as const);
  for (const member of all) {
    kill(member);
    const afterMs = random.between(0, lastsMs);
    if (member !== newest || fate === "as others")
      endLater(scene, { afterMs, end: () => member.startAgent() });
    else
      endLater(scene, {
        afterMs: fate === "last" ? lastsMs + 1_000 : Infinity,
        end: () => member.startAgent(),
      });
  }
}

function walOf({ server }: SimulatedMember): number {
  return server.disk.data?.wal.at(-1)?.lsn ?? 0;
}

function jump({ member, machineClocks, random }: Scene): void {
  const byMs = random.pick(JUMPS_MS);
  const all = random.chance(0.7);
  for (const [name, clock] of machineClocks)
    if (all || name === member.name) clock.offsetMs += byMs;
}

/** Not the last data of the cluster: nothing could bring that back. */
function loseData({ member, members, store, onEvent }: Scene): void {
  const isElsewhere = [...members.values()].some(
    ({ server }) =>
      server !== member.server &&
      server.name in store.record.members &&
      server.disk.data?.isWhole === true &&
      server.disk.data.freshCopy === null,
  );
  if (!isElsewhere || store.record.systemId === null)
    return onEvent("faults", "not: its last data");
  member.server.crash();
  member.server.disk.data = null;
}
