// Deliberate defects of switchovers that a person has scheduled.
import type { Store, Versioned } from "../../src/store/store.ts";
import type { Defect } from "./defect.ts";

export const SCHEDULE_DEFECTS: readonly Defect[] = [
  {
    name: "a scheduled switchover goes by a clock that is never set",
    theme: "schedules",
    steps: {
      clockOfSchedule: (clock, machineClock) => ({
        ...clock,
        wallClock: () =>
          new Date(Date.parse(clock.wallClock()) - machineClock.offsetMs).toISOString(),
      }),
    },
  },
  {
    name: "a switchover that was cancelled at the last moment is done",
    theme: "schedules",
    steps: { scheduleOf: () => ({}) },
  },
  {
    name: "a scheduled switchover outlives its primary",
    theme: "schedules",
    alterStore: withoutEnd,
  },
];

/** Whoever takes the lease keeps what was scheduled. */
function withoutEnd(store: Store): Store {
  let known: Versioned | null = null;
  return {
    ...store,
    watch: (onChange) => store.watch(onChange),
    read: async () => (known = await store.read()),
    write: async (request) => {
      const { record } = request;
      const before = known?.record ?? record;
      const scheduled = record.term > before.term ? before.scheduled : record.scheduled;
      return store.write({ ...request, record: { ...record, scheduled } });
    },
  };
}
