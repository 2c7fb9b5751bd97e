// What of the record a step that takes long rests on.
import type { ClusterRecord } from "../core/record.ts";
import { isFenced } from "../core/record-changes.ts";

/** What an effect rests on: when it changes, a step that was begun before is out of date. */
export function keyOf(record: ClusterRecord | null, self: string): string {
  if (record === null) return "no record";
  const { leader, heir, term, electing } = record;
  const key = `${term} ${leader?.member ?? "-"} ${leader?.timeline ?? "-"} ${heir ?? "-"} ${electing}`;
  return isFenced(record, self) ? `${key} fenced` : key;
}
