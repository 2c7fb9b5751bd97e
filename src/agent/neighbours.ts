// What the other members say of themselves, asked of their agents at one time.
import type { MemberStatus } from "../core/member-status.ts";
import type { ClusterRecord } from "../core/record.ts";
import { trustOf, type Member } from "./member.ts";
import { askStatus } from "./peer.ts";

/** Of an agent on the same machine or in the same network. */
const ANSWER_LIMIT_MS = 500;

export type Neighbours = ReadonlyMap<string, MemberStatus>;

/** Those that answer, by name; asked are all others, or only the ones that are named. */
export async function askNeighbours(
  member: Pick<Member, "name" | "cluster" | "tls">,
  record: ClusterRecord,
  only: readonly string[] | null = null,
): Promise<Neighbours> {
  const answers = new Map<string, MemberStatus>();
  await Promise.all(
    Object.entries(record.members).map(async ([name, address]) => {
      if (name === member.name || only?.includes(name) === false) return;
      const options = { timeoutMs: ANSWER_LIMIT_MS, trust: trustOf(member, name) };
      const status = await askStatus(address, options).catch(() => null);
      // A port may have changed hands.
      if (status?.name === name && status.cluster === member.cluster) answers.set(name, status);
    }),
  );
  return answers;
}
