// Of several operators one is at work: who holds a Lease of their namespace. Not the databases'
// lease, and far less depends on it: two operators at once would say the same of the same objects.
// Counted as that one is: the holder from before it sends, the others from after they see.
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../../core/errors.ts";
import type { KubernetesApi, ObjectPlace } from "../../kubernetes-api/api.ts";
import { LEASE } from "../../kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";

interface LeaseObject extends KubernetesObject {
  readonly spec?: { readonly holderIdentity?: string | null };
}

export interface LeadershipOptions {
  readonly api: KubernetesApi;
  readonly place: ObjectPlace & { readonly namespace: string };
  /** Of this process, and of no other one. */
  readonly self: string;
  /** After so long without a sign of the holder another one takes it. */
  readonly durationMs: number;
  /** What only the holder does, until its signal says that it is not that any more. */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  readonly onTrouble: (why: UnderstudyError) => void;
  readonly signal: AbortSignal;
}

/** What was seen last (null: no Lease), and since when it has been so. */
interface Seen {
  readonly version: string | null;
  readonly sinceMs: number;
}

/** Ends when the signal says so, after what was led has ended and the Lease is given up. */
export async function leadWhenHolding(options: LeadershipOptions): Promise<void> {
  const { signal, durationMs, onTrouble } = options;
  let seen: Seen = { version: null, sinceMs: performance.now() };
  while (!signal.aborted) {
    try {
      const lease = await readLease(options);
      const version = lease?.metadata.resourceVersion ?? null;
      if (seen.version !== version) seen = { version, sinceMs: performance.now() };
      const sentMs = performance.now();
      const silentMs = sentMs - seen.sinceMs;
      if (mayTake(lease, { ...options, silentMs }) && (await take(options, lease)))
        await leadUntilLost(options, sentMs);
    } catch (thrown) {
      if (signal.aborted) return;
      if (!(thrown instanceof UnderstudyError)) throw thrown;
      onTrouble(thrown);
    }
    await rest(durationMs / 5, signal);
  }
}

/**
 * Nobody holds it, or whoever does has not renewed it for as long as it lasts. Or this one does,
 * and was never told that it had been given it.
 */
function mayTake(
  lease: LeaseObject | null,
  of: { self: string; silentMs: number; durationMs: number },
): boolean {
  const holder = lease?.spec?.holderIdentity ?? null;
  return holder === null || holder === of.self || of.silentMs >= of.durationMs;
}

/** Renews while `lead` runs, and ends that a fifth before others may take the Lease. */
async function leadUntilLost(options: LeadershipOptions, takenMs: number): Promise<void> {
  const { lead, durationMs, signal } = options;
  const lost = new AbortController();
  const until = AbortSignal.any([signal, lost.signal]);
  const leading = lead(until).finally(() => lost.abort());
  // It is awaited below; meanwhile a failure is not one that nobody looks at.
  leading.catch(() => {});
  let deadline = deadlineOf(lost, { durationMs, sentMs: takenMs });
  while (!until.aborted) {
    await rest(durationMs / 5, until);
    const sentMs = performance.now();
    const outcome = until.aborted ? "lost" : await renew({ ...options, signal: until });
    if (outcome === "lost") lost.abort();
    if (outcome !== "renewed") continue;
    clearTimeout(deadline);
    deadline = deadlineOf(lost, { durationMs, sentMs });
  }
  clearTimeout(deadline);
  try {
    await leading;
  } finally {
    await giveUp(options);
  }
}

function deadlineOf(
  lost: AbortController,
  { durationMs, sentMs }: { durationMs: number; sentMs: number },
): NodeJS.Timeout {
  const leftMs = sentMs + (durationMs * 4) / 5 - performance.now();
  return setTimeout(() => lost.abort(), Math.max(0, leftMs));
}

async function take(options: LeadershipOptions, lease: LeaseObject | null): Promise<boolean> {
  const { api, place, self, signal } = options;
  if (lease !== null) return patchHolder(options, { lease, holder: self, signal });
  const { apiVersion, kind } = LEASE;
  const spec = specOf(options, self);
  const created = { apiVersion, kind, metadata: place, spec };
  return (await api.create(LEASE, created, { signal })).kind === "changed";
}

/** "unknown": it was not told; there may be time for another attempt. */
async function renew(options: LeadershipOptions): Promise<"renewed" | "lost" | "unknown"> {
  const { signal, self, onTrouble } = options;
  try {
    const lease = await readLease(options);
    if (lease === null || lease.spec?.holderIdentity !== self) return "lost";
    const isRenewed = await patchHolder(options, { lease, holder: self, signal });
    return isRenewed ? "renewed" : "unknown";
  } catch (thrown) {
    if (thrown instanceof UnderstudyError) onTrouble(thrown);
    else if (!signal.aborted) throw thrown;
    return "unknown";
  }
}

/** So that nobody has to wait. It runs out by itself where that does not succeed. */
async function giveUp(options: LeadershipOptions): Promise<void> {
  const signal = AbortSignal.timeout(options.durationMs);
  try {
    const lease = await readLease({ ...options, signal });
    if (lease?.spec?.holderIdentity !== options.self) return;
    await patchHolder(options, { lease, holder: null, signal });
  } catch (thrown) {
    if (thrown instanceof UnderstudyError) options.onTrouble(thrown);
    else if (!signal.aborted) throw thrown;
  }
}

function readLease({ api, place, signal }: LeadershipOptions): Promise<LeaseObject | null> {
  return api.get<LeaseObject>(LEASE, place, { signal });
}

/** @returns whether it was this very version that was changed. */
async function patchHolder(
  options: LeadershipOptions,
  of: { lease: LeaseObject; holder: string | null; signal: AbortSignal },
): Promise<boolean> {
  const { api, place } = options;
  const { resourceVersion } = of.lease.metadata;
  const patch = { metadata: { resourceVersion }, spec: specOf(options, of.holder) };
  const { signal } = of;
  return (await api.patch(LEASE, { place, patch }, { signal })).kind === "changed";
}

function specOf({ durationMs }: LeadershipOptions, holder: string | null) {
  return {
    holderIdentity: holder,
    leaseDurationSeconds: Math.max(1, Math.ceil(durationMs / 1_000)),
    renewTime: new Date().toISOString().replace("Z", "000Z"),
  };
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
