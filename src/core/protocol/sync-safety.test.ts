// A small model of a cluster whose members' WAL is a list, driven by the real arithmetic and the
// real changes of the record in any order: whatever was acknowledged is on whoever leads next.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { lsnFromBigInt } from "../lsn.ts";
import { newRecord, type ClusterRecord } from "../record.ts";
import {
  beginCopy,
  openElection,
  setGuarantee,
  setSystemId,
  takeElectedLease,
  takeLease,
} from "../record-changes.ts";
import { compareReach, type Ballot, type Reach } from "./election.ts";
import { CLOSED, NOBODY, doubtOf, implies, quorumOf, type Quorum } from "./quorum.ts";
import { nextSyncStep } from "./sync-set.ts";

const NAMES = ["a", "b", "c", "d"];
const NOWHERE = { lsn: null, timeline: null };

/** Which term wrote it. */
interface Entry {
  readonly id: number;
  readonly term: number;
}

class ModelCluster {
  record: ClusterRecord;
  /** Null: its disk is lost. */
  readonly logs = new Map<string, readonly Entry[] | null>(NAMES.map((name) => [name, []]));
  readonly acknowledged = new Set<Entry>();
  /** What the leader's PostgreSQL may acknowledge by: two until the barrier. */
  settings: readonly Quorum[] = [];
  wanted: { readonly names: readonly string[]; readonly required: number };
  elections = 0;
  doubts = 0;
  #ids = 0;

  constructor() {
    const members = Object.fromEntries(
      NAMES.map((name, at) => [name, { host: "127.0.0.1", port: at, apiPort: at, tags: {} }]),
    );
    const fresh = newRecord({ cluster: "m", founder: "a", ttlMs: 1, members });
    const founded = setSystemId(fresh, "1");
    assert(founded);
    const led = takeLease(founded, { member: "a", position: NOWHERE, at: "", reason: "" });
    assert(led);
    this.record = led;
    this.settings = [NOBODY];
    this.wanted = { names: NAMES, required: 1 };
    this.write();
  }

  get leader(): string | null {
    return this.record.leader?.member ?? null;
  }

  log(name: string): readonly Entry[] {
    return this.logs.get(name) ?? [];
  }

  write(): void {
    if (this.leader === null) return;
    const entry = { id: this.#ids, term: this.record.term };
    this.#ids += 1;
    this.logs.set(this.leader, [...this.log(this.leader), entry]);
  }

  /** What it has beyond the leader's history is rewound. */
  stream(name: string, share: number): void {
    const { leader } = this;
    if (leader === null || name === leader || this.logs.get(name) === null) return;
    const [source, own] = [this.log(leader), this.log(name)];
    const differs = own.findIndex((entry, at) => source[at]?.id !== entry.id);
    const common = differs === -1 ? own.length : differs;
    this.logs.set(name, source.slice(0, Math.max(common, part(source.length, share))));
  }

  acknowledge(which: number): void {
    const setting = this.settings[which % Math.max(1, this.settings.length)];
    if (setting === undefined || this.leader === null) return;
    const source = this.log(this.leader);
    const confirmed = setting.members
      .map((name) => this.log(name))
      .filter((own) => own.every((entry, at) => source[at]?.id === entry.id))
      .map((own) => own.length)
      .sort((one, other) => other - one);
    const upTo = setting.required === 0 ? source.length : confirmed[setting.required - 1];
    for (const entry of source.slice(0, upTo ?? 0)) this.acknowledged.add(entry);
  }

  /** One step of the way. */
  synchronize(): void {
    const { leader } = this;
    if (leader === null) return;
    const others = this.wanted.names.filter((name) => name !== leader);
    const wanted = quorumOf(Math.min(this.wanted.required, others.length), others);
    const [setting] = this.settings.slice(-1);
    assert(setting);
    if (this.settings.length > 1) {
      this.settings = [setting];
      return;
    }
    const before = this.record.sync;
    const step = nextSyncStep({ setting, guarantee: before.guarantee, wanted });
    if (step === null) return;
    if (step.kind === "setting") {
      this.settings = [setting, step.quorum];
      return;
    }
    const next = step.guarantee;
    const whole = this.log(leader).length;
    const caughtUp = next?.members.filter(
      (name) => this.log(name).length === whole && this.isPrefix(name),
    );
    if (step.needsProof && (caughtUp?.length ?? 0) < (next?.required ?? 0)) return;
    const holder = { member: leader, term: this.record.term };
    const changed = setGuarantee(this.record, { ...holder, before, next });
    assert(changed);
    this.record = changed;
    for (const each of this.settings) assert(implies(each, next ?? NOBODY));
  }

  isPrefix(name: string): boolean {
    const source = this.log(this.leader ?? "");
    return this.log(name).every((entry, at) => source[at]?.id === entry.id);
  }

  loseDisk(name: string): void {
    if (name === this.leader) this.kill();
    this.logs.set(name, null);
  }

  copy(name: string, share: number): void {
    if (this.leader === null || this.logs.get(name) !== null) return;
    this.record = beginCopy(this.record, name) ?? this.record;
    const source = this.log(this.leader);
    this.logs.set(name, source.slice(0, part(source.length, share)));
  }

  kill(): void {
    const gone = { leader: this.leader, heir: null, term: this.record.term };
    this.record = openElection(this.record, gone) ?? this.record;
    this.settings = [];
  }

  /** @param how.place which of those that are able tries it, the furthest first */
  elect(how: { visible: readonly string[]; drains: boolean; place: number }): void {
    if (this.leader !== null) return;
    const { visible, drains, place } = how;
    const old = this.record.history.at(-1)?.member;
    const ballots = visible.flatMap((name) =>
      this.logs.get(name) === null ? [] : [this.ballot(name)],
    );
    const best = ballots.filter(({ name }) => name !== old).sort(compareReach)[place];
    if (best === undefined || old === undefined) return;
    const candidate = drains ? this.drain(best.name, old) : null;
    const doubt = doubtOf(this.record.sync.guarantee, { candidate: candidate ?? best, ballots });
    if (candidate === null && doubt !== null) {
      this.doubts += 1;
      return;
    }
    const { term } = this.record;
    const winner = { member: best.name, term, position: NOWHERE, at: "", reason: "" };
    const isPromised = this.record.sync.guarantee !== null;
    const taken = takeElectedLease(this.record, winner);
    assert(taken);
    this.record = taken;
    this.elections += 1;
    const ids = new Set(this.log(best.name).map(({ id }) => id));
    const lost = [...this.acknowledged].filter(({ id }) => !ids.has(id));
    // While nothing is promised it may happen, and then it has happened.
    if (!isPromised) for (const entry of lost) this.acknowledged.delete(entry);
    else
      assert.deepEqual(lost, [], `${best.name} took the lease of term ${taken.term} without them`);
    this.settings = [CLOSED];
    this.write();
  }

  /** All that the old leader's disk has, where that is there and goes on from what is here. */
  drain(name: string, old: string): Reach | null {
    const [own, theirs] = [this.log(name), this.logs.get(old) ?? null];
    if (theirs === null || theirs.length < own.length) return null;
    if (!own.every((entry, at) => theirs[at]?.id === entry.id)) return null;
    this.logs.set(name, theirs);
    return this.ballot(name);
  }

  ballot(name: string): Ballot & Reach {
    const log = this.log(name);
    const timelineTerm = log.at(-1)?.term ?? 0;
    const lsn = lsnFromBigInt(BigInt(log.length));
    const rest = { priority: 0, barred: false, timeline: timelineTerm };
    return { kind: "up", name, ...rest, timelineTerm, lsn };
  }
}

function part(of: number, share: number): number {
  return Math.round((of * share) / 100);
}

const anyName = fc.constantFrom(...NAMES);
const anyShare = fc.oneof(fc.nat(100), fc.constant(100), fc.constant(100));
const anyMembers = fc.oneof(fc.subarray(NAMES), fc.constant(NAMES));

const anyStep: fc.Arbitrary<(cluster: ModelCluster) => void> = fc.oneof(
  { weight: 4, arbitrary: fc.constant((cluster: ModelCluster) => cluster.write()) },
  {
    weight: 6,
    arbitrary: fc.tuple(anyName, anyShare).map(
      ([name, share]) =>
        (cluster: ModelCluster) =>
          cluster.stream(name, share),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.nat(1).map((which) => (cluster: ModelCluster) => cluster.acknowledge(which)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(anyMembers, fc.nat(3))
      .map(([names, required]) => (cluster: ModelCluster) => {
        cluster.wanted = { names, required };
      }),
  },
  { weight: 8, arbitrary: fc.constant((cluster: ModelCluster) => cluster.synchronize()) },
  {
    weight: 2,
    arbitrary: anyName.map((name) => (cluster: ModelCluster) => cluster.loseDisk(name)),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(anyName, anyShare).map(
      ([name, share]) =>
        (cluster: ModelCluster) =>
          cluster.copy(name, share),
    ),
  },
  { weight: 1, arbitrary: fc.constant((cluster: ModelCluster) => cluster.kill()) },
  {
    weight: 4,
    arbitrary: fc.tuple(anyMembers, fc.boolean(), fc.oneof(fc.constant(0), fc.nat(2))).map(
      ([visible, drains, place]) =>
        (cluster: ModelCluster) =>
          cluster.elect({ visible, drains, place }),
    ),
  },
);

test("whatever dies, is lost, copied, taken in or out: the next leader has what was acknowledged", () => {
  let [elections, doubts, promised] = [0, 0, 0];
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 40, maxLength: 200 }), (steps) => {
      const cluster = new ModelCluster();
      for (const step of steps) {
        step(cluster);
        if (cluster.acknowledged.size > 0 && cluster.record.sync.guarantee !== null) promised += 1;
      }
      elections += cluster.elections;
      doubts += cluster.doubts;
    }),
    { numRuns: 5_000 },
  );
  // Nothing is shown where nothing happens.
  assert(
    elections > 1_000 && doubts > 100 && promised > 5_000,
    `${elections} ${doubts} ${promised}`,
  );
});
