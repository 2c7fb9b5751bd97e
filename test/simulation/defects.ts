// Deliberate defects, each a mistake that somebody could make: the checkers must find every one of
// them, or they would not find the next one that nobody made on purpose.
import type { EffectContext, Effects } from "../../src/agent/effects/effect.ts";
import { MemberMemory } from "../../src/agent/memory.ts";
import { relationTo } from "../../src/core/timeline.ts";
import { withHistory } from "../../src/core/record.ts";
import type { Defect } from "./defect.ts";
import { CASCADE_DEFECTS } from "./cascade-defects.ts";
import { SCHEDULE_DEFECTS } from "./schedule-defects.ts";
import { SHUT_OUT_DEFECTS } from "./shut-out-defects.ts";
import { SYNC_DEFECTS } from "./sync-defects.ts";
import { observeModel } from "./model/effects.ts";
import type { ModelMember } from "./model/member.ts";
import { openTurn } from "./model/rewind-turn.ts";
import { endOf } from "./model/wal.ts";

export const DEFECTS: readonly Defect[] = [
  {
    name: "a start does not care how the directory was left: it may come up writable",
    steps: {
      writeStandbyMode: ({ disk }, upstream) => {
        if (disk.data !== null) disk.data.upstream = upstream;
      },
    },
  },
  {
    name: "a former primary rejoins without comparing its WAL",
    theme: "forks",
    steps: { standingOf: () => ({ kind: "behind" }) },
  },
  {
    name: "timelines of one number count as one",
    theme: "forks",
    steps: { standingOf: (_member, { end, upstream }) => relationTo(upstream, end) },
  },
  {
    name: "a running standby is pointed at any new primary",
    steps: { isKnownToFollow: () => true },
  },
  {
    name: "no marker is written before a copy",
    theme: "losses",
    steps: { writeMarker: () => {} },
  },
  {
    name: "the marker of a half-made copy is overlooked",
    theme: "losses",
    observe: (member, record) =>
      observeModel({ ...member, disk: { ...member.disk, marker: false } }, record),
  },
  {
    name: "diverged data is removed at once",
    theme: "forks",
    steps: {
      keepData: ({ name, disk, around }) => {
        const { data } = disk;
        disk.data = null;
        if (data !== null) around.onlooker.destroyed(data, { member: name, announced: false });
      },
    },
  },
  {
    name: "members are rewound all at once",
    theme: "castaways",
    steps: { takeRewindTurn: ({ member }, leader) => openTurn(member, leader) },
  },
  {
    name: "a server is started beside the backends of its dead predecessor",
    theme: "orphans",
    steps: { killOrphans: () => false },
  },
  {
    name: "the lease is handed over before the old primary is shut down",
    theme: "handovers",
    steps: {
      shutDown: async ({ member }) => {
        member.model.requestStop();
        return member.disk.data === null ? 0 : endOf(member.disk.data).lsn;
      },
      successorHasAll: async () => {},
    },
  },
  {
    name: "the lease is handed over without shutting anything down",
    theme: "handovers",
    steps: {
      shutDown: async ({ member }) => (member.disk.data === null ? 0 : endOf(member.disk.data).lsn),
    },
  },
  {
    name: "promotion goes on whatever has become of the lease",
    theme: "outages",
    steps: { mayStillPromote: async ({ record }) => record, mayRequest: () => true },
    alterEffects: (effects) => ({
      ...effects,
      promote: (context) => effects.promote({ ...context, signal: new AbortController().signal }),
    }),
  },
  {
    name: "an old primary is not fenced",
    theme: "returns",
    alterEffects: (effects) => ({
      ...effects,
      stop: async (context) => {
        if (context.decision.rule !== "fence-old-primary") await effects.stop(context);
      },
    }),
  },
  {
    name: "whoever finds that nobody leads takes the lease",
    theme: "forks",
    alterEffects: (effects) => ({
      ...effects,
      start: async (context) => {
        await effects.start(context);
        if (context.decision.rule === "start-and-wait") await seizeLease(context.member);
      },
    }),
  },
  {
    name: "a primary whose data is gone makes new data",
    alterEffects: (effects) => ({ ...effects, "give-up-lease": effects.bootstrap }),
  },
  {
    name: "the record is written without comparing it",
    theme: "stragglers",
    alterStore: (store) => ({
      ...store,
      read: store.read,
      write: async (request) => {
        const now = await store.read();
        return store.write({ ...request, expected: now?.revision ?? null });
      },
    }),
  },
  {
    name: "a standby is not told of its new primary",
    alterEffects: (effects) => ({ ...effects, follow: async () => {} }),
  },
  {
    name: "a failover names the member that is furthest behind",
    theme: "forks",
    choice: {
      compare: (one, other) => (one.lsn < other.lsn ? -1 : 1),
      isIncluded: () => false,
    },
  },
  {
    name: "a promotion trusts the record that was read before",
    theme: "outages",
    steps: {
      mayStillPromote: async ({ member, record }) =>
        member.keeper.holds(record.term) ? record : null,
    },
  },
  {
    name: "a half-made copy is cleared by starting it",
    theme: "losses",
    alterEffects: (effects) => ({
      ...effects,
      clone: async (context) => {
        if (context.member.disk.marker) context.member.disk.marker = false;
        else await effects.clone(context);
      },
    }),
  },
  {
    name: "a copy is not remembered, nor from whom it is",
    alterEffects: (effects) => ({
      ...effects,
      clone: (context) => {
        const { member } = context;
        const memory = new MemberMemory({ save: async () => {} });
        return effects.clone({ ...context, member: { ...member, memory } });
      },
    }),
  },
  {
    name: "what an agent knew of terms and timelines is forgotten when it ends",
    theme: "losses",
    alterEffects: (effects) => {
      const forgetting = Object.entries(effects).map(([name, effect]) => [
        name,
        async (context: EffectContext<ModelMember>) => {
          await effect(context);
          context.member.disk.memory = null;
        },
      ]);
      return Object.fromEntries(forgetting) as Effects<ModelMember>;
    },
  },
  {
    name: "whoever stands for election takes the lease",
    theme: "stragglers",
    steps: {
      electLeader: (ballots) => ({ winner: ballots[0]?.name ?? null, reason: "it was first" }),
    },
  },
  {
    name: "what the dead primary's disk has is not compared, and said to be nothing",
    steps: { saveWal: async () => 0 },
  },
  {
    name: "the lease is taken while the old primary may be back",
    theme: "returns",
    steps: { isHarmless: async () => true },
  },
  {
    name: "a silent member counts as gone",
    alterWitness: () => ({ isGone: () => true, hasNoServer: () => true, fence: () => {} }),
  },
  {
    name: "a lease that has run out is proof enough",
    alterWitness: (witness) => ({
      fence: (member) => witness.fence(member),
      hasNoServer: (member) => witness.hasNoServer(member),
      isGone: (member, of) => of.leaseHasRunOut || witness.isGone(member, of),
    }),
    steps: { isHarmless: async () => true },
  },
  {
    name: "waits are measured by the wall clock",
    theme: "clocks",
    alterClock: (clock, machineClock) => ({
      ...clock,
      nowMs: () => clock.nowMs() + machineClock.offsetMs,
    }),
  },
  ...SYNC_DEFECTS,
  ...CASCADE_DEFECTS,
  ...SHUT_OUT_DEFECTS,
  ...SCHEDULE_DEFECTS,
];

/** As takeLease, for anybody. */
async function seizeLease({ name, keeper }: ModelMember): Promise<void> {
  await keeper.change((record) => {
    if (record.leader !== null) return null;
    const term = record.term + 1;
    const at = "1970-01-01T00:00:00Z";
    const position = { lsn: null, timeline: null };
    const history = withHistory(record.history, {
      term,
      member: name,
      ...position,
      at,
      reason: "",
    });
    return {
      ...record,
      term,
      leader: { member: name, renewals: 0, ...position },
      heir: null,
      history,
    };
  });
}
