// Deliberate defects of synchronous replication: each loses acknowledged commits some day, or shows
// what no standby has.
import type { ClusterRecord } from "../../src/core/record.ts";
import { isSameQuorum, doubtOf } from "../../src/core/protocol/quorum.ts";
import { nextServiceStep } from "../../src/core/protocol/service.ts";
import { alteringWrites, type Defect } from "./defect.ts";
import { makeCheckpoint } from "./model/service.ts";

export const SYNC_DEFECTS: readonly Defect[] = [
  {
    name: "what strengthens a promise is written before it is so",
    steps: {
      nextServiceStep: (view) => {
        const { service, guarantee, wanted } = view;
        const isReady = service.isOpen && wanted !== null && wanted.required > 0;
        return isReady && (guarantee === null || !isSameQuorum(guarantee, wanted))
          ? { kind: "record", guarantee: { ...wanted, renewed: [] } }
          : nextServiceStep(view);
      },
    },
  },
  {
    name: "what weakens a promise is written after PostgreSQL waits for less",
    steps: {
      nextServiceStep: (view) => {
        const { service, wanted } = view;
        return service.isOpen && wanted !== null && !isSameQuorum(service.waitsFor, wanted)
          ? { kind: "setting", quorum: wanted }
          : nextServiceStep(view);
      },
    },
  },
  {
    name: "a stronger promise is not proven of what was acknowledged before",
    steps: {
      nextServiceStep: (view) =>
        nextServiceStep({ ...view, confirmed: view.wanted?.members ?? [] }),
    },
  },
  {
    name: "the barrier after a change of the settings is left out",
    theme: "promises",
    steps: { awaitBarrier: async () => {} },
  },
  {
    name: "commits are not proven to wait before that is promised",
    theme: "answers",
    steps: { checkpoint: async () => {}, seeACommitWait: async () => {} },
  },
  {
    name: "what was acknowledged until commits were proven to wait does not count",
    theme: "answers",
    steps: {
      checkpoint: async (member, signal) => {
        await makeCheckpoint(member, signal);
        member.sync.bound = () => void (member.sync.binds = true);
      },
    },
  },
  {
    name: "a promise that was written without an answer is taken not to be there",
    theme: "answers",
    steps: { isCertain: async () => true },
  },
  {
    name: "an election is content with those that it has seen",
    theme: "losses",
    steps: { doubtOf: () => null },
  },
  {
    name: "an election counts one member too few that it has to see",
    theme: "losses",
    steps: {
      doubtOf: (guarantee, of) =>
        doubtOf(guarantee && { ...guarantee, required: guarantee.required + 1 }, of),
    },
  },
  {
    name: "a member whose disk is lost counts as one that has been seen",
    theme: "losses",
    steps: {
      doubtOf: (guarantee, of) => {
        const isThere = (name: string) =>
          of.ballots.some((ballot) => ballot.name === name && ballot.kind !== "gone");
        const members = guarantee?.members.filter(isThere) ?? [];
        return doubtOf(guarantee && { ...guarantee, members }, of);
      },
    },
  },
  {
    name: "a takeover does not count on the one that led before in its own place",
    alterStore: alteringWrites(withoutSwap),
  },
  {
    name: "a primary is promoted with its door open",
    steps: { closeDoor: async () => {} },
  },
  {
    name: "a primary lets applications in before its standbys have what it has",
    steps: {
      nextServiceStep: (view) => {
        const step = nextServiceStep(view);
        return step?.kind === "await" && !view.service.isOpen
          ? { kind: "open", quorum: step.quorum }
          : step;
      },
    },
  },
];

/**
 * Who leads now is not among those that have every commit any more, and nobody comes in its place.
 */
function withoutSwap(record: ClusterRecord, before: ClusterRecord): ClusterRecord {
  const promised = before.sync.guarantee;
  if (record.term === before.term || promised === null) return record;
  const members = promised.members.filter((name) => name !== record.leader?.member);
  return { ...record, sync: { ...record.sync, guarantee: { ...promised, members } } };
}
