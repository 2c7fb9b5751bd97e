// A primary that lets nobody in for want of room gives way where another member can take its part,
// and no other is given up.
import type { ClusterRecord } from "../../../src/core/record.ts";
import { STORE } from "../model/network.ts";
import type { ModelServer } from "../model/server.ts";
import type { View } from "./checker.ts";

/** For five seconds it may pass; then its agent looks, and what fails is tried again. */
const LIMIT_MS = 45_000;
/** It is looked at twice a second. */
const PATIENCE_MS = 4_000;
/** What it was told may not be so any more: of its own server it asks each second. */
const STALE_MS = { own: 1_600, others: 6_000 } as const;

interface Sight {
  /** Since when it has let nobody in, and when it was last seen so. */
  shut: { readonly sinceMs: number; readonly untilMs: number } | null;
  /** Since when it leads meanwhile, with nothing in the way of another. */
  idleSinceMs: number | null;
  /** When anybody could last take its part, and when it last reached the store. */
  ableMs: number;
  storeMs: number;
}

export class ShutChecker {
  readonly #view: View;
  readonly #sights = new Map<string, Sight>();

  constructor(view: View) {
    this.#view = view;
  }

  /** Called often. */
  observe(): void {
    for (const server of this.#view.servers.values()) this.#look(server);
  }

  givenUp(server: ModelServer): void {
    const nowMs = this.#view.nowMs();
    const { shut, ableMs, storeMs } = this.#look(server);
    const isShut = shut !== null && shut.untilMs - shut.sinceMs >= PATIENCE_MS;
    if (!isShut || nowMs - shut.untilMs > STALE_MS.own) this.#object(server, "it is not so");
    if (nowMs - ableMs > STALE_MS.others) this.#object(server, "nobody can take its part");
    if (nowMs - storeMs > STALE_MS.others) this.#object(server, "it does not reach the store");
  }

  #object({ name }: ModelServer, why: string): void {
    this.#view.fail(
      "no primary is stopped for nothing",
      `${name} is ended because it lets nobody in, and ${why}`,
    );
  }

  #look(server: ModelServer): Sight {
    const { name, machine } = server;
    const nowMs = this.#view.nowMs();
    const record = this.#view.storedRecord();
    const sight = this.#sights.get(name) ?? newSight();
    this.#sights.set(name, sight);
    // What is down, or stands still, does not let anybody in either: it may start again and again.
    const isOpen = !server.disk.isFull || (server.door.takesStreams && !server.door.isShut);
    if (!isOpen) sight.shut = { sinceMs: sight.shut?.sinceMs ?? nowMs, untilMs: nowMs };
    else if (nowMs - (sight.shut?.untilMs ?? nowMs) > STALE_MS.own) sight.shut = null;
    const ables = this.#ablesBeside(record, server);
    const reachesStore = machine.network.connects(name, STORE);
    if (ables.length > 0) sight.ableMs = nowMs;
    if (reachesStore) sight.storeMs = nowMs;
    const leads = record.leader?.member === name && !record.paused && this.#view.answers(name);
    const couldGive = ables.some((other) => machine.network.connects(other.name, STORE));
    const isIdle = letsNobodyIn(server) && leads && reachesStore && couldGive;
    sight.idleSinceMs = isIdle ? (sight.idleSinceMs ?? nowMs) : null;
    if (sight.idleSinceMs !== null && nowMs - sight.idleSinceMs > LIMIT_MS)
      this.#view.fail(
        "who lets nobody in gives way",
        `${name} has let nobody in for ${LIMIT_MS / 1_000} s and leads on, though another could`,
      );
    return sight;
  }

  #ablesBeside(
    { members, fenced }: ClusterRecord,
    { name, machine }: ModelServer,
  ): readonly ModelServer[] {
    return [...this.#view.servers.values()].filter((other) => {
      const tags = members[other.name]?.tags;
      if (other.name === name || tags === undefined || tags.nofailover === true) return false;
      if (fenced.includes(other.name) || other.disk.isFull || other.promotionAsked) return false;
      if (!other.door.takesStreams || other.door.isShut || !other.inRecovery) return false;
      return machine.network.connects(name, other.name) && this.#view.answers(other.name);
    });
  }
}

function newSight(): Sight {
  return { shut: null, idleSinceMs: null, ableMs: -Infinity, storeMs: -Infinity };
}

function letsNobodyIn({ state, disk, door, isHeld, isFrozen }: ModelServer): boolean {
  if (!disk.isFull || isHeld || isFrozen) return false;
  return state === "starting" || (state === "accepting" && door.isShut);
}
