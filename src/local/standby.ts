// Adding a standby to a running cluster.
import { mkdir } from "node:fs/promises";
import { memberPaths } from "../agent/member-paths.ts";
import { configuredUpstream } from "../core/cascade.ts";
import { namesInOrder } from "../core/name-order.ts";
import { assignKeys, type Assignment } from "../core/config/key.ts";
import { PRIMARY, memberScope } from "../core/config/member-keys.ts";
import { UnderstudyError } from "../core/errors.ts";
import { checkMemberName, memberNameAt } from "../core/name.ts";
import { addMember } from "../core/record-changes.ts";
import type { ClusterRecord, RecordMember } from "../core/record.ts";
import { MAX_STANDBYS } from "../core/spec.ts";
import { startAgent, type AgentProgram } from "./agents.ts";
import { awaitStreaming, type UpStep } from "./await-streaming.ts";
import {
  changeClusterRecord,
  lockCluster,
  readRecord,
  recordMember,
  type LocalCluster,
  type Operation,
  type Outcome,
} from "./cluster.ts";
import { requireSameLibraries } from "./libraries.ts";
import { findOwner, giveTo } from "./owner.ts";
import { choosePorts } from "./ports.ts";
import { readClusterStatus, requireRunning } from "./read-status.ts";
import { isRemovalLeft } from "./remove-standby.ts";
import { entriesOf } from "./entries-of.ts";

export interface AdditionRequest {
  /** Null: the next free one. */
  readonly name: string | null;
  /** Settings of the new member, see core/config/member-keys.ts: from whom, with which delay. */
  readonly assignments: readonly Assignment[];
  readonly onStep: (step: UpStep) => void;
}

/**
 * @throws UnderstudyError MEMBER_EXISTS, NAME_INVALID, NO_PRIMARY; MEMBER_NOT_FOUND or REFUSED
 * where it cannot be set up so; and what waiting may throw.
 */
export async function addStandby(
  cluster: LocalCluster,
  request: AdditionRequest & { program: AgentProgram },
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const record = await readRecord(cluster);
  const name = checkMemberName(request.name ?? nextName(record));
  const { assignments } = request;
  await refuseAddition(cluster, { record, name, assignments });
  await requireSameLibraries(cluster, name);
  const taken = new Set(Object.values(record.members).flatMap((each) => [each.port, each.apiPort]));
  const [ports] = (
    await choosePorts({
      first: null,
      from: Math.min(...Object.values(record.members).map(({ port }) => port)),
      count: 1,
      avoid: taken,
    })
  ).ports;
  if (ports === undefined)
    throw new UnderstudyError("PORT_TAKEN", `there is no free port for ${name}`);
  const { root } = memberPaths(cluster.paths.root, name);
  await mkdir(root, { recursive: true, mode: 0o700 });
  const owner = await findOwner(cluster.file.osUser);
  await giveTo(owner, [root]);
  const member = { host: "127.0.0.1", ...ports, tags: {} };
  const added = await changeClusterRecord(cluster, (current) =>
    withMember(current, { name, member, assignments }),
  );
  if (added === null)
    throw new UnderstudyError("MEMBER_EXISTS", `the cluster has a member ${name} already`);
  const agent = await startAgent({
    root: cluster.paths.root,
    member: name,
    owner,
    program: request.program,
  });
  const source = configuredUpstream(added, name) ?? "the primary";
  operation.onStep(`${name} was added on port ${ports.port} and copies ${source}`);
  if (operation.wait)
    await awaitStreaming(cluster, {
      only: name,
      started: new Map([[name, agent]]),
      timeoutMs: operation.timeoutMs,
      signal: operation.signal,
      onStep: request.onStep,
    });
  return {
    summary: operation.wait ? `${name} streams from ${source}` : `${name} is being made`,
    facts: { member: name, port: ports.port, from: added.members[name]?.tags.from ?? null },
  };
}

/** Null when there is such a member already. @throws UnderstudyError REFUSED. */
function withMember(
  record: ClusterRecord,
  of: { name: string; member: RecordMember; assignments: readonly Assignment[] },
): ClusterRecord | null {
  const { name, member, assignments } = of;
  const added = addMember(record, { name, member });
  if (added === null || assignments.length === 0) return added;
  const scope = memberScope(name, member);
  return assignKeys(added, { scope, assignments }) ?? added;
}

/** Said in its own words, before anything is made. */
function refuseUpstream(
  record: ClusterRecord,
  of: { name: string; assignments: readonly Assignment[] },
): void {
  const { name, assignments } = of;
  const from = assignments.find(({ key }) => key === "from")?.text ?? null;
  if (from === name)
    throw new UnderstudyError("REFUSED", `${name} cannot stream from itself; nothing was changed`, {
      hint: `Name another member: ${namesInOrder(Object.keys(record.members)).join(", ")}.`,
    });
  if (from !== null && from !== PRIMARY) recordMember(record, from);
}

async function refuseAddition(
  cluster: LocalCluster,
  of: { record: ClusterRecord; name: string; assignments: readonly Assignment[] },
): Promise<void> {
  const { record, name } = of;
  if (name in record.members)
    throw new UnderstudyError(
      "MEMBER_EXISTS",
      `the cluster ${record.cluster} has a member ${name} already`,
    );
  refuseUpstream(record, of);
  if (Object.keys(record.members).length > MAX_STANDBYS)
    throw new UnderstudyError(
      "REFUSED",
      `the cluster has ${MAX_STANDBYS} standbys, which is the most that one machine gets`,
      { hint: "Remove one first: understudy standby remove NAME" },
    );
  if (await isRemovalLeft(cluster, name))
    throw new UnderstudyError(
      "DIRECTORY_NOT_OURS",
      `${name} was a member, and its removal has not ended`,
      { hint: `End it: understudy standby remove ${name}; or choose another name.` },
    );
  const { data } = memberPaths(cluster.paths.root, name);
  if ((await entriesOf(data)).length > 0)
    throw new UnderstudyError("DIRECTORY_NOT_OURS", `${data} holds data already`, {
      hint: "Move it away, or choose another name.",
    });
  const { primary } = requireRunning(await readClusterStatus(cluster));
  if (primary === null)
    throw new UnderstudyError(
      "NO_PRIMARY",
      `${record.cluster} has no primary that ${name} could copy`,
    );
}

function nextName(record: ClusterRecord): string {
  for (let ordinal = 1; ; ordinal += 1) {
    const name = memberNameAt(record.cluster, ordinal);
    if (!(name in record.members)) return name;
  }
}
