// Whom a cluster's services lead to, kept by the agent of its leader: itself first of all, on the
// way to its promotion, then the standbys that applications are to read from.
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

/** What of a member counts here. */
interface Leading extends Pick<Member, "name" | "clock"> {
  readonly keeper: Pick<Member["keeper"], "record" | "holdsLease">;
  readonly positions: Pick<Member["positions"], "latest" | "read">;
  readonly session: Pick<Member["session"], "query">;
  readonly sync: Pick<Member["sync"], "isOpen">;
}

/** Of a cluster that does not change. */
const LOOK_EVERY_MS = 1_000;

export class ServiceLeader {
  readonly #member: Leading;
  readonly #put: (services: LedServices) => void;
  readonly #forget: () => void;
  readonly #maxLagBytes: () => number | null;
  /** In which writes were led here. */
  #term: number | null = null;
  /** In which it has become the primary. */
  #ledTerm: number | null = null;
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
    const leads = ground === "primary" && sync.isOpen;
    const isLedTo = keeper.holdsLease && (leads || this.#isAboutToLead(record, ground));
    if (record === null || own === undefined || !isLedTo) {
      if (this.#term !== null) this.#forget();
      this.#term = null;
      this.#ledTerm = null;
      return;
    }
    // Clients wait for this; who reads can be asked after that.
    if (this.#term !== record.term) this.#put({ reign: record, write: own.host, read: null });
    this.#term = record.term;
    if (!leads) return;
    // Readers stay where they are for a moment: the standbys are about to stream again, and each
    // change has every node write its rules anew while writers wait for theirs.
    if (this.#ledTerm !== record.term) this.#lookedMs = clock.nowMs();
    this.#ledTerm = record.term;
    if (this.#isBusy || clock.nowMs() - this.#lookedMs < LOOK_EVERY_MS) return;
    this.#lookedMs = clock.nowMs();
    this.#isBusy = true;
    void this.#lead(record)
      .catch(() => {}) // Its server does not answer: the next look asks again.
      .finally(() => (this.#isBusy = false));
  }

  /**
   * The lease is this member's, and its promotion takes about as long as nodes need to hear of it.
   * Who comes earlier finds a server that takes no writes yet, where there was none at all before;
   * but nobody is to read there before it shows all that it has. Nor where acknowledged commits are
   * promised: the door is shut then until standbys have what it has.
   */
  #isAboutToLead(record: ClusterRecord | null, ground: Ground): boolean {
    if (ground !== "standby" || record === null || record.sync.guarantee !== null) return false;
    const { latest } = this.#member.positions;
    const received = parseLsnOrNull(latest?.receiveLsn);
    const replayed = parseLsnOrNull(latest?.replayLsn);
    return received !== null && replayed !== null && replayed >= received;
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
