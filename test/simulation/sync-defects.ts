// Deliberate defects of synchronous replication: each loses acknowledged commits some day, or shows
// what no standby has.
import { isSameQuorum, doubtOf } from "../../src/core/protocol/quorum.ts";
import { nextServiceStep } from "../../src/core/protocol/service.ts";
import type { Defect } from "./defect.ts";
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
    seenAt: 8,
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
    seenAt: 8,
    steps: {
      nextServiceStep: (view) =>
        nextServiceStep({ ...view, confirmed: view.wanted?.members ?? [] }),
    },
  },
  {
    name: "the barrier after a change of the settings is left out",
    seenAt: 130,
    steps: { awaitBarrier: async () => {} },
  },
  {
    name: "commits are not proven to wait before that is promised",
    seenAt: 20,
    steps: { checkpoint: async () => {}, seeACommitWait: async () => {} },
  },
  {
    name: "what was acknowledged until commits were proven to wait does not count",
    seenAt: 120,
    steps: {
      checkpoint: async (member, signal) => {
        await makeCheckpoint(member, signal);
        member.sync.bound = () => void (member.sync.binds = true);
      },
    },
  },
  {
    name: "a promise that was written without an answer is taken not to be there",
    seenAt: 589,
    steps: { isCertain: async () => true },
  },
  {
    name: "an election is content with those that it has seen",
    seenAt: 155,
    steps: { doubtOf: () => null },
  },
  {
    name: "an election counts one member too few that it has to see",
    seenAt: 155,
    steps: {
      doubtOf: (guarantee, of) =>
        doubtOf(guarantee && { ...guarantee, required: guarantee.required + 1 }, of),
    },
  },
  {
    name: "a member whose disk is lost counts as one that has been seen",
    seenAt: 155,
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
    name: "a primary is promoted with its door open",
    seenAt: 5,
    steps: { closeDoor: () => {} },
  },
  {
    name: "a primary lets applications in before its standbys have what it has",
    seenAt: 8,
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
