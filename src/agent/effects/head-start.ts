// A former primary that has handed over, or was succeeded, does not compete with its successor for
// the machine while that is being promoted: nobody can write before it is.
import { setTimeout as delay } from "node:timers/promises";
import type { EffectContext } from "./effect.ts";

/** It then serves reads and follows nobody, as long as that takes. */
const HEAD_START_MS = 1_000;

/** Cut off, as every effect, when the record says who leads, and from where. */
export async function giveHeadStart({
  member,
  record,
  signal,
}: Pick<EffectContext, "member" | "record" | "signal">): Promise<void> {
  const { ended, heir } = record;
  if (ended?.member !== member.name || heir === member.name) return;
  await delay(HEAD_START_MS, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}
