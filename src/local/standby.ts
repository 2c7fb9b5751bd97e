// Adding a standby to a running cluster.
import { mkdir } from "node:fs/promises";
import { memberPaths } from "../agent/member-paths.ts";
import { UnderstudyError } from "../core/errors.ts";
import { checkMemberName, memberNameAt } from "../core/name.ts";
import { addMember } from "../core/record-changes.ts";
import type { ClusterRecord } from "../core/record.ts";
import { MAX_STANDBYS } from "../core/spec.ts";
import { startAgent, type AgentProgram } from "./agents.ts";
import { awaitStreaming, type UpStep } from "./await-streaming.ts";
import {
  changeClusterRecord,
  lockCluster,
  readRecord,
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

/** @throws UnderstudyError MEMBER_EXISTS, NAME_INVALID, NO_PRIMARY, and what waiting may throw. */
export async function addStandby(
  cluster: LocalCluster,
  request: { name: string | null; program: AgentProgram; onStep: (step: UpStep) => void },
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const record = await readRecord(cluster);
  const name = checkMemberName(request.name ?? nextName(record));
  await refuseAddition(cluster, { record, name });
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
  if (
    (await changeClusterRecord(cluster, (current) => addMember(current, { name, member }))) === null
  )
    throw new UnderstudyError("MEMBER_EXISTS", `the cluster has a member ${name} already`);
  const agent = await startAgent({
    root: cluster.paths.root,
    member: name,
    owner,
    program: request.program,
  });
  operation.onStep(`${name} was added on port ${ports.port} and copies the primary`);
  if (operation.wait)
    await awaitStreaming(cluster, {
      only: name,
      started: new Map([[name, agent]]),
      timeoutMs: operation.timeoutMs,
      signal: operation.signal,
      onStep: request.onStep,
    });
  return {
    summary: operation.wait ? `${name} streams from the primary` : `${name} is being made`,
    facts: { member: name, port: ports.port },
  };
}

async function refuseAddition(
  cluster: LocalCluster,
  of: { record: ClusterRecord; name: string },
): Promise<void> {
  const { record, name } = of;
  if (name in record.members)
    throw new UnderstudyError(
      "MEMBER_EXISTS",
      `the cluster ${record.cluster} has a member ${name} already`,
    );
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
