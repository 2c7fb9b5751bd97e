// synchronous_standby_names as Understudy writes it, and reads it back: `ANY k ("a", "b")` (manual,
// 20.6.2). A member's name is its walreceiver's application_name.
import { CLOSED, NOBODY, isSameQuorum, quorumOf, type Quorum } from "../../core/protocol/quorum.ts";

/** No member can have this name, so that none can confirm. */
const NOBODY_EVER = "understudy:nobody";

export function formatStandbyNames(quorum: Quorum): string {
  if (quorum.required === 0) return "";
  const names = isSameQuorum(quorum, CLOSED) ? [NOBODY_EVER] : quorum.members;
  return `ANY ${quorum.required} (${names.map(quote).join(", ")})`;
}

/** Null where it is none of ours. */
export function parseStandbyNames(text: string): Quorum | null {
  if (text.trim() === "") return NOBODY;
  const [, required, list] = /^ANY (\d+) \((.+)\)$/.exec(text) ?? [];
  if (required === undefined || list === undefined) return null;
  const names = list.split(", ").map(unquote);
  if (!names.every((name) => name !== null)) return null;
  return names.join() === NOBODY_EVER ? CLOSED : quorumOf(Number(required), names);
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function unquote(text: string): string | null {
  const [, name] = /^"((?:[^"]|"")*)"$/.exec(text) ?? [];
  return name === undefined ? null : name.replaceAll('""', '"');
}
