import assert from "node:assert/strict";
import { test } from "node:test";
import { HandClock } from "../../test/support/hand-clock.ts";
import type { Ground } from "../core/protocol/situation.ts";
import { newRecord, type ClusterRecord } from "../core/record.ts";
import { ServiceLeader, type LedServices } from "./lead-services.ts";
import type { Position } from "./probe.ts";

const STANDBY: Position = {
  inRecovery: true,
  writeLsn: "0/3000100",
  flushLsn: "0/3000100",
  receiveLsn: "0/3000100",
  replayLsn: "0/3000100",
  timeline: null,
  replayLagSeconds: 0,
  settingsAsOf: "",
  receiver: null,
};

function place(host: string) {
  return { host, port: 5432, apiPort: 8008, tags: {} };
}

function recordLedBy(member: string): ClusterRecord {
  const members = { "t-1": place("10.0.0.1"), "t-2": place("10.0.0.2") };
  const founded = newRecord({ cluster: "t", founder: "t-1", ttlMs: 10_000, members });
  const leader = { member, renewals: 0, lsn: null, timeline: null };
  return { ...founded, systemId: "7", term: 3, leader };
}

async function readPrimary(): Promise<Position> {
  return { ...STANDBY, inRecovery: false };
}

/** Of t-2: what it put, and how often it forgot that. */
class Watched {
  record = recordLedBy("t-2");
  readonly put: LedServices[] = [];
  forgotten = 0;
  readonly clock = new HandClock();
  readonly #services: ServiceLeader;

  constructor(latest: Position | null) {
    const recordNow = () => this.record;
    this.#services = new ServiceLeader({
      member: {
        name: "t-2",
        clock: this.clock,
        keeper: {
          get record() {
            return recordNow();
          },
          get holdsLease() {
            return recordNow().leader?.member === "t-2";
          },
        },
        positions: { latest, read: readPrimary },
        session: { query: async () => [] },
        sync: { isOpen: true },
      },
      put: (led) => void this.put.push(led),
      forget: () => void (this.forgotten += 1),
      maxLagBytes: () => null,
    });
  }

  look(ground: Ground): void {
    this.#services.look(this.record, ground);
  }
}

test("writes are led to a standby that holds the lease and shows all that it has", () => {
  const seen = new Watched(STANDBY);
  seen.look("standby");
  seen.look("standby");
  assert.deepEqual(
    seen.put.map(({ write, read, reign }) => [write, read, reign.term]),
    [["10.0.0.2", null, 3]],
  );
});

test("who reads is asked for a moment after it has become the primary", async () => {
  const seen = new Watched(STANDBY);
  seen.look("standby");
  seen.look("primary");
  await seen.clock.pass(900);
  seen.look("primary");
  assert.equal(seen.put.length, 1);
  await seen.clock.pass(100);
  seen.look("primary");
  await new Promise(setImmediate);
  assert.deepEqual(
    seen.put.map(({ write, read }) => [write, read]),
    [
      ["10.0.0.2", null],
      ["10.0.0.2", ["10.0.0.2"]],
    ],
  );
});

test("nobody is led to a standby without the lease", () => {
  const seen = new Watched(STANDBY);
  seen.record = recordLedBy("t-1");
  seen.look("standby");
  assert.deepEqual(seen.put, []);
});

test("nobody is led to a standby that has more than it shows, or of which that is not known", () => {
  for (const latest of [
    { ...STANDBY, receiveLsn: "0/3000200" },
    { ...STANDBY, receiveLsn: null },
    null,
  ]) {
    const seen = new Watched(latest);
    seen.look("standby");
    assert.equal(seen.put.length, 0);
    seen.look("primary");
    assert.equal(seen.put[0]?.write, "10.0.0.2");
  }
});

test("where acknowledged commits are promised nobody is led to a standby", () => {
  const seen = new Watched(STANDBY);
  const guarantee = { required: 1, members: ["t-1", "t-2"], renewed: [] };
  seen.record = { ...seen.record, sync: { ...seen.record.sync, guarantee } };
  seen.look("standby");
  assert.deepEqual(seen.put, []);
});

test("who loses the lease before it is the primary leads nobody there any more", () => {
  const seen = new Watched(STANDBY);
  seen.look("standby");
  seen.record = recordLedBy("t-1");
  seen.look("standby");
  seen.look("standby");
  assert.equal(seen.forgotten, 1);
});
