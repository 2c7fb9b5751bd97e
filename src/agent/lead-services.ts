// Whom a cluster's services lead to, kept by the agent of its leader: itself first of all as soon
// as it takes writes, then the standbys that applications are to read from.
import { takesReaders } from "../core/cascade.ts";
import { lsnDistance, parseLsnOrNull } from "../core/lsn.ts";
import type { Ground } from "../core/protocol/situation.ts";
import type { ClusterRecord } from "../core/record.ts";
import { isFenced } from "../core/record-changes.ts";
import { serviceEndpoints, type ServiceMember } from "../core/service-endpoints.ts";
import type { Member } from "./member.ts";
import type { Reign } from "../core/slice-reign.ts";
import { readReplication } from "./probe.ts";

/** Addresses; null: it is not to be changed. */
export interface LedServices {
  /** In which this member leads: who comes with an older one has been succeeded. */
  readonly reign: Reign;
  readonly write: string | null;
  readonly read: readonly string[] | null;
}

type Leading = Pick<Member, "name" | "clock" | "keeper" | "positions" | "session" | "sync" | "log">;

/** Of a cluster that does not change. */
const LOOK_EVERY_MS = 1_000;

export class ServiceLeader {
  readonly #member: Leading;
  readonly #put: (services: LedServices) => void;
  readonly #forget: () => void;
  readonly #maxLagBytes: () => number | null;
  #term: number | null = null;
  #lookedMs = -Infinity;
  #isBusy = false;

  constructor(options: {
    member: Leading;
    /** Comes back at once; what does not work is tried again by whoever does it. */
    put: (services: LedServices) => void;
    /** Called when this member leads no more. */
    forget: () => void;
    maxLagBytes: () => number | null;
  }) {
    this.#member = options.member;
    this.#put = options.put;
    this.#forget = options.forget;
    this.#maxLagBytes = options.maxLagBytes;
  }

  /** With each look of the agent's loop. */
  look(record: ClusterRecord | null, ground: Ground): void {
    const { name, keeper, sync, clock } = this.#member;
    const own = record?.members[name];
    const leads = ground === "primary" && keeper.holdsLease && sync.isOpen;
    if (record === null || own === undefined || !leads) {
      if (this.#term !== null) this.#forget();
      this.#term = null;
      return;
    }
    // Clients wait for this; who reads can be asked after that.
    if (this.#term !== record.term) this.#put({ reign: record, write: own.host, read: null });
    const isNew = this.#term !== record.term;
    this.#term = record.term;
    if (this.#isBusy || (!isNew && clock.nowMs() - this.#lookedMs < LOOK_EVERY_MS)) return;
    this.#lookedMs = clock.nowMs();
    this.#isBusy = true;
    void this.#lead(record)
      .catch(() => {}) // Its server does not answer: the next look asks again.
      .finally(() => (this.#isBusy = false));
  }

  async #lead(record: ClusterRecord): Promise<void> {
    const { name, keeper } = this.#member;
    const members = await this.#members(record);
    // It may have ceased to lead while its server was asked.
    if (!keeper.holdsLease || keeper.record?.term !== record.term) return;
    const maxLagBytes = this.#maxLagBytes();
    const { read } = serviceEndpoints({ primary: name, members }, { maxLagBytes });
    const hostOf = (member: string) => record.members[member]?.host ?? [];
    const write = record.members[name]?.host ?? null;
    this.#put({ reign: record, write, read: read.flatMap(hostOf) });
  }

  async #members(record: ClusterRecord): Promise<ServiceMember[]> {
    const { name, session, positions } = this.#member;
    const [peers, own] = await Promise.all([readReplication(session), positions.read()]);
    const to = parseLsnOrNull(own.writeLsn);
    return Object.entries(record.members).map(([member, address]) => {
      const peer = peers.find(({ applicationName }) => applicationName === member);
      const from = parseLsnOrNull(peer?.replayLsn);
      return {
        name: member,
        role: member === name ? "primary" : "standby",
        state: peer?.state === "streaming" ? "streaming" : "unreachable",
        takesReads: takesReaders(address),
        fenced: isFenced(record, member),
        replayLagBytes: from === null || to === null ? null : Number(lsnDistance({ from, to })),
      };
    });
  }
}
