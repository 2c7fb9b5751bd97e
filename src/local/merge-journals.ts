// The journals of several members as one, in the order in which things happened. Pure.
import type { Entry } from "../agent/journal.ts";

/**
 * Each journal is in order already, and stays so. Between two members the machine's own order tells
 * where both counted in one boot: a wall clock that was set back would put what came after before
 * what it was made of.
 */
export function mergeJournals(journals: readonly (readonly Entry[])[]): Entry[] {
  const left = journals.map((entries) => ({ entries, next: 0 }));
  const merged: Entry[] = [];
  for (;;) {
    let first: { at: (typeof left)[number]; entry: Entry } | null = null;
    for (const at of left) {
      const entry = at.entries[at.next];
      if (entry !== undefined && (first === null || isBefore(entry, first.entry)))
        first = { at, entry };
    }
    if (first === null) return merged;
    merged.push(first.entry);
    first.at.next += 1;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  if (one.order !== undefined && one.order.boot === other.order?.boot)
    return one.order.ms < other.order.ms;
  return one.at < other.at;
}
