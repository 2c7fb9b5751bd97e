// What the operator asks of the agents, as it is handed in: it does not know how they are reached.
import { summarize, type ClusterStatus, type MemberAnswer } from "../../core/cluster-status.ts";
import { messageOf } from "../../core/errors.ts";
import type { MemberStatus } from "../../core/member-status.ts";
import type { ClusterRecord, RecordMember } from "../../core/record.ts";
import type { Secret } from "../../core/secret.ts";

interface Asking {
  /** Whose it is to be. */
  readonly member: string;
  /** Who vouches for the members of this cluster, as a PEM file; null: nobody is known. */
  readonly trusted: string | null;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Agents {
  /** @throws UnderstudyError MEMBER_UNREACHABLE. */
  status(of: RecordMember, options: Asking): Promise<MemberStatus>;
  /** @throws UnderstudyError MEMBER_UNREACHABLE, TIMED_OUT, or whatever the agent answered. */
  ask(
    of: RecordMember,
    options: Asking & {
      path: "/switchover" | "/restart";
      body: Readonly<Record<string, unknown>>;
      token: Secret;
    },
  ): Promise<unknown>;
}

const ANSWER_LIMIT_MS = 2_000;

/** All are asked at once; who does not answer is told as that. */
export async function askMembers(
  agents: Agents,
  of: { record: ClusterRecord | null; trusted: string | null; signal: AbortSignal },
): Promise<{ answers: Map<string, MemberAnswer>; summary: ClusterStatus | null }> {
  const { record, trusted, signal } = of;
  const members = Object.entries(record?.members ?? {});
  const asked = members.map(async ([name, place]) => {
    const options = { member: name, trusted, timeoutMs: ANSWER_LIMIT_MS, signal };
    const answer: MemberAnswer = await agents.status(place, options).then(
      (status) => belongsHere(status, { record, name }),
      (thrown: unknown) => ({ unreachable: messageOf(thrown) }),
    );
    return [name, answer] as const;
  });
  const answers = new Map(await Promise.all(asked));
  signal.throwIfAborted();
  if (record === null || [...answers.values()].every((answer) => "unreachable" in answer))
    return { answers, summary: null };
  return { answers, summary: summarize({ record, statuses: answers, extraWarnings: [] }) };
}

/** An address of a pod is another pod's later. */
function belongsHere(
  status: MemberStatus,
  of: { record: ClusterRecord | null; name: string },
): MemberAnswer {
  if (status.cluster === of.record?.cluster && status.name === of.name) return status;
  return { unreachable: `at its address is ${status.name} of the cluster ${status.cluster}` };
}
