// Names of clusters and members. They become directory names, application names, slot names (with
// "-" turned into "_") and Kubernetes object names, so they are DNS labels, and short.
import { UnderstudyError } from "./errors.ts";

const MAX_CLUSTER_NAME = 40;
const MAX_MEMBER_NAME = 50;
const SLOT_PREFIX = "understudy_";

/** @returns the name. @throws UnderstudyError NAME_INVALID saying what is wrong with it. */
export function checkClusterName(name: string): string {
  return checkName({ name, kind: "cluster", limit: MAX_CLUSTER_NAME });
}

/** @returns the name. @throws UnderstudyError NAME_INVALID saying what is wrong with it. */
export function checkMemberName(name: string): string {
  return checkName({ name, kind: "member", limit: MAX_MEMBER_NAME });
}

/** "demo" and 2 make "demo-2". */
export function memberNameAt(cluster: string, ordinal: number): string {
  return `${cluster}-${ordinal}`;
}

/**
 * The physical slot that a member streams through: a slot's name has only a-z, 0-9 and "_" (manual,
 * 26.2.6).
 */
export function slotNameOf(member: string): string {
  return `${SLOT_PREFIX}${member.replaceAll("-", "_")}`;
}

/** Slots of other names are their users' own and are never touched. */
export function isOurSlot(slot: string): boolean {
  return slot.startsWith(SLOT_PREFIX);
}

function checkName(subject: { name: string; kind: "cluster" | "member"; limit: number }): string {
  const { name, kind, limit } = subject;
  const problem = problemOf(name, limit);
  if (problem === null) return name;
  throw new UnderstudyError(
    "NAME_INVALID",
    `${JSON.stringify(name)} cannot be a ${kind} name: ${problem}`,
  );
}

function problemOf(name: string, limit: number): string | null {
  if (name === "") return "it is empty";
  if (name.length > limit) return `it has ${name.length} characters, at most ${limit} are allowed`;
  if (!/^[a-z]/.test(name)) return "it must begin with a lower-case letter";
  if (name.endsWith("-")) return "it must not end with a hyphen";
  const strange = /[^a-z0-9-]/.exec(name);
  if (strange)
    return `it may hold lower-case letters, digits and hyphens, not ${JSON.stringify(strange[0])}`;
  return null;
}
