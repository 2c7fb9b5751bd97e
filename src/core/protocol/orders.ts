// What is done because a person said so, named as rules are, so that events say by which order a
// thing was done and `understudy explain` tells what it means.

export const ORDERS = {
  "switchover-on-request":
    "A person asked for a switchover: the primary is shut down, and hands its lease to a standby that has everything.",
  "switchover-on-schedule":
    "The time came for which a person had asked for a switchover: the primary's agent did it.",
  "switchover-on-leave":
    "The primary's pod was told to end, as when its node is drained: it handed over to a standby before that.",
  "failover-on-request":
    "A person decided on a failover, knowing what may be lost: the lease was taken from the old primary and given to another member by name.",
  "stop-on-request":
    "A person stopped the primary's agent, as `understudy down` does: the same member is to lead again.",
  "pause-on-request":
    "A person paused the cluster: nothing fails over by itself until the pause is ended.",
  "resume-on-request": "A person ended the pause: a standby takes over when the primary fails.",
  "setting-on-request":
    "A person changed a setting of Understudy's own, of the cluster or of one member.",
} as const satisfies Record<string, string>;

export type Order = keyof typeof ORDERS;
