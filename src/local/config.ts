// Understudy's own settings, of the cluster and of single members: kept in the record, and changed
// by one compare-and-set of it. Agents that do not run find them there when they begin.
import { CLUSTER_SCOPE } from "../core/config/cluster-keys.ts";
import {
  assignKeys,
  findKey,
  showKeys,
  type Assignment,
  type ConfigRow,
  type ConfigScope,
} from "../core/config/key.ts";
import { memberScope } from "../core/config/member-keys.ts";
import { namesInOrder } from "../core/name-order.ts";
import type { ClusterRecord } from "../core/record.ts";
import {
  changeClusterRecord,
  readRecord,
  recordMember,
  type LocalCluster,
  type Outcome,
  type Plan,
} from "./cluster.ts";
import { describeChanges, noteDecision, type Change } from "./decisions.ts";
import { refuseLessDurable } from "./parameters.ts";

export interface ConfigChange {
  /** Null: of the cluster as a whole. */
  readonly member: string | null;
  readonly assignments: readonly Assignment[];
}

export interface MemberConfigRow extends ConfigRow {
  readonly member: string;
}

/** @throws UnderstudyError USAGE for an unknown key. */
export async function showConfig(
  cluster: LocalCluster,
  names: readonly string[],
): Promise<ConfigRow[]> {
  return showKeys(await readRecord(cluster), { scope: CLUSTER_SCOPE, names });
}

/**
 * @param of.member null: of all members
 * @throws UnderstudyError MEMBER_NOT_FOUND, USAGE for an unknown key.
 */
export async function showMemberConfig(
  cluster: LocalCluster,
  of: { member: string | null; names: readonly string[] },
): Promise<MemberConfigRow[]> {
  const record = await readRecord(cluster);
  const members = of.member === null ? namesInOrder(Object.keys(record.members)) : [of.member];
  return members.flatMap((member) => {
    const scope = memberScope(member, recordMember(record, member));
    return showKeys(record, { scope, names: of.names }).map((row) =>
      Object.assign({ member }, row),
    );
  });
}

/** @throws UnderstudyError MEMBER_NOT_FOUND, USAGE or REFUSED: see assignKeys. */
export async function planConfig(cluster: LocalCluster, change: ConfigChange): Promise<Plan> {
  const record = await readRecord(cluster);
  const { after, changes } = applied(record, change);
  refuseWithItsParameters(cluster, after);
  const what = describeChange(change);
  return {
    summary:
      after === null
        ? `${what} already`
        : `${change.member ?? cluster.place.name} is to have other settings`,
    steps: changes.map((each) => describeChanges([each])),
    facts: { member: change.member, changed: after !== null, changes },
  };
}

/** @throws UnderstudyError MEMBER_NOT_FOUND, USAGE or REFUSED: see assignKeys. */
export async function setConfig(cluster: LocalCluster, change: ConfigChange): Promise<Outcome> {
  let changes: readonly Change[] = [];
  const written = await changeClusterRecord(cluster, (record) => {
    const result = applied(record, change);
    refuseWithItsParameters(cluster, result.after);
    changes = result.changes;
    return result.after;
  });
  const what = describeChange(change);
  const { member } = change;
  const note =
    written === null
      ? ""
      : await noteDecision(cluster, {
          event: member === null ? "config-set" : "member-set",
          what: `changed settings of ${member ?? cluster.place.name}; ${describeChanges(changes)}`,
          details: { member, changes },
        });
  return {
    summary: written === null ? `${what} already` : `${what}${note}`,
    facts: { member: change.member, changed: written !== null, changes },
  };
}

/** @throws UnderstudyError REFUSED. */
function refuseWithItsParameters({ file }: LocalCluster, after: ClusterRecord | null): void {
  if (after === null) return;
  refuseLessDurable(after.sync, file.specification.spec.postgres.parameters);
}

function applied(
  record: ClusterRecord,
  { member, assignments }: ConfigChange,
): { after: ClusterRecord | null; changes: readonly Change[] } {
  if (member === null) return appliedIn(record, { scope: CLUSTER_SCOPE, assignments });
  const scope = memberScope(member, recordMember(record, member));
  return appliedIn(record, { scope, assignments });
}

function appliedIn<Part>(
  record: ClusterRecord,
  of: { scope: ConfigScope<Part>; assignments: readonly Assignment[] },
): { after: ClusterRecord | null; changes: readonly Change[] } {
  const { scope } = of;
  const after = assignKeys(record, of);
  const names = [...new Set(of.assignments.map(({ key }) => findKey(scope.keys, key).name))];
  const before = showKeys(record, { scope, names });
  const now = showKeys(after ?? record, { scope, names });
  const changes = before.flatMap(({ key, text: from }, at) => {
    const to = now[at]?.text ?? from;
    return from === to ? [] : [{ key, from, to }];
  });
  return { after, changes };
}

function describeChange({ member, assignments }: ConfigChange): string {
  const settings = assignments.map(({ key, text }) =>
    text === null ? `${key} is its default` : `${key} is ${text}`,
  );
  return `${member === null ? "" : `${member}: `}${settings.join(", ")}`;
}
