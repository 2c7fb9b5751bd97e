// All synchronous sets of a few members, for tests that go through every one of them.
import { NOBODY, quorumOf, type Quorum } from "../../src/core/protocol/quorum.ts";

export function subsets(of: readonly string[]): string[][] {
  const all: string[][] = [[]];
  for (const name of of) all.push(...all.map((set) => [...set, name]));
  return all;
}

export function quorumsOf(names: readonly string[]): Quorum[] {
  const some = subsets(names).flatMap((members) =>
    members.map((_, at) => quorumOf(at + 1, members)),
  );
  return [NOBODY, ...some];
}
