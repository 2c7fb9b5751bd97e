// What a drill's faults are called. Apart from what they do, so that the command line can name them
// without loading any of that.
export const DRILL_FAULTS = [
  "crash",
  "member-death",
  "freeze",
  "switchover",
  "store-outage",
] as const;
export type DrillFault = (typeof DRILL_FAULTS)[number];
