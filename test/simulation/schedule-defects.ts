// Deliberate defects of switchovers that a person has scheduled.
import { alteringWrites, type Defect } from "./defect.ts";

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
    // Whoever takes the lease keeps what was scheduled.
    alterStore: alteringWrites((record, before) =>
      record.term > before.term ? { ...record, scheduled: before.scheduled } : record,
    ),
  },
];
