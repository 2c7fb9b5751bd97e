import assert from "node:assert/strict";
import { test } from "node:test";
import { newRecord, type ClusterRecord } from "../record.ts";
import { releaseLease, takeLease } from "../record-changes.ts";
import { decide, type Decision, type Observation } from "./decide.ts";
import { RULES, TABLE, type RuleName } from "./rules.ts";
import { GROUNDS, PARTS, partOf, type Ground, type Part } from "./situation.ts";

const SELF = "demo-1";

function memberAt(port: number) {
  return { host: "127.0.0.1", port, apiPort: port + 1000, tags: {} };
}

function record(change: Partial<ClusterRecord> = {}): ClusterRecord {
  const made = newRecord({
    cluster: "demo",
    founder: SELF,
    ttlMs: 2000,
    members: { "demo-1": memberAt(6431), "demo-2": memberAt(6432) },
  });
  return { ...made, systemId: "7", heir: null, ...change };
}

const leaderOf = (member: string) => ({ member, renewals: 0, lsn: null, timeline: 2 });

/** A record for each part that a member can have. */
const AS: Readonly<Record<Part, ClusterRecord | null>> = {
  unknown: null,
  leader: record({ leader: leaderOf(SELF), forks: [{ timeline: 2, term: 0 }] }),
  heir: record({ heir: SELF }),
  follower: record({ leader: leaderOf("demo-2") }),
  bereaved: record({ leader: leaderOf("demo-2") }),
  candidate: record({ electing: true }),
  waiting: record({ heir: "demo-2" }),
  fenced: record({ leader: leaderOf("demo-2"), fenced: [SELF] }),
  "fenced-leader": record({ leader: leaderOf(SELF), fenced: [SELF] }),
  removed: record({ members: { "demo-2": { host: "127.0.0.1", port: 1, apiPort: 2, tags: {} } } }),
};

function decided(seen: Partial<Observation> & Pick<Observation, "record" | "ground">): Decision {
  return decide({ self: SELF, leaderIsGone: false, cannotStart: false, isShutOut: false, ...seen });
}

function partIn(seen: ClusterRecord | null): Part {
  return partOf(seen, { self: SELF, leaderIsGone: false });
}

const cells = PARTS.flatMap((part) => GROUNDS.map((ground) => ({ part, ground })));

test("every part and ground has the rule that the table names, once the cluster has data", () => {
  for (const { part, ground } of cells) {
    const leaderIsGone = part === "bereaved";
    assert.equal(partOf(AS[part], { self: SELF, leaderIsGone }), part);
    assert.equal(decided({ record: AS[part], ground, leaderIsGone }).rule, TABLE[part][ground]);
  }
});

test("every rule is used, and every rule has a sentence", () => {
  const used = new Set<string>(cells.map(({ part, ground }) => TABLE[part][ground]));
  used.add("found-the-cluster");
  used.add("cannot-lead");
  used.add("step-down-when-shut-out");
  assert.deepEqual([...used].sort(), Object.keys(RULES).sort());
  for (const { sentence } of Object.values(RULES)) assert.match(sentence, /^[A-Z].*\.$/);
});

test("nobody but the leader is ever promoted or made to lead", () => {
  for (const { part, ground } of cells) {
    const { effect } = RULES[TABLE[part][ground]];
    if (effect === "promote" || effect === "lead") assert.equal(part, "leader");
  }
});

test("a writable server without the lease is stopped, unless the record is unknown or it is removed", () => {
  assert.equal(TABLE.follower.primary, "fence-old-primary");
  assert.equal(TABLE.waiting.primary, "fence-old-primary");
  assert.equal(TABLE.heir.primary, "fence-old-primary");
});

test("nothing is started, copied or stopped while the record is unknown", () => {
  for (const ground of GROUNDS) assert.equal(RULES[TABLE.unknown[ground]].effect, "wait");
});

test("data of another cluster is never started, copied over or removed", () => {
  for (const part of PARTS) {
    const { effect } = RULES[TABLE[part].foreign];
    assert(["wait", "give-up-lease", "resign", "retire"].includes(effect), `${part}: ${effect}`);
  }
});

test("only before a system identifier is recorded, and only the founder, makes data", () => {
  const founding = record({ systemId: null, heir: SELF });
  assert.equal(decided({ record: founding, ground: "nothing" }).rule, "take-named-lease");
  const leading = record({ systemId: null, leader: leaderOf(SELF) });
  assert.equal(decided({ record: leading, ground: "nothing" }).effect, "bootstrap");
  assert.equal(decided({ self: "demo-2", record: leading, ground: "nothing" }).effect, "clone");

  const lost = record({ leader: leaderOf(SELF) });
  assert.equal(decided({ record: lost, ground: "nothing" }).effect, "give-up-lease");
});

test("a leader that is not writable yet is waited for, not copied", () => {
  const starting = record({ leader: { member: "demo-2", renewals: 0, lsn: null, timeline: null } });
  for (const ground of ["nothing", "half-made"] as const)
    assert.equal(decided({ record: starting, ground }).rule, "await-a-source");
});

/** What an effect makes of the part and the ground when it succeeds; null ends it. */
type Outcome = (at: { part: Part; ground: Ground }) => { part: Part; ground: Ground } | null;

const OUTCOME: Readonly<Record<string, Outcome>> = {
  "take-lease": ({ ground }) => ({ part: "leader", ground }),
  bootstrap: ({ part }) => ({ part, ground: "stopped" }),
  "give-up-lease": ({ ground }) => ({ part: "waiting", ground }),
  start: ({ part }) => ({ part, ground: "standby" }),
  promote: ({ part }) => ({ part, ground: "primary" }),
  clone: ({ part }) => ({ part, ground: "standby" }),
  rejoin: ({ part }) => ({ part, ground: "standby" }),
  stop: ({ part }) => ({ part, ground: "stopped" }),
  "step-down": () => ({ part: "candidate", ground: "crashed" }),
  "open-election": ({ ground }) => ({ part: "candidate", ground }),
  // A leader that has not been writable in its term starts what has crashed.
  stand: ({ ground }) => ({ part: "leader", ground: ground === "crashed" ? "stopped" : ground }),
  fence: ({ part }) => ({ part, ground: "stopped" }),
  resign: ({ ground }) => ({ part: "fenced", ground }),
  retire: () => null,
};

test("from every part and ground, effects that succeed lead to a state that stays, within six steps", () => {
  // Where these wait, they wait for somebody else: the store, PostgreSQL itself, another member or
  // a person.
  const stays: ReadonlySet<RuleName> = new Set([
    "lead",
    "follow",
    "await-a-primary",
    "await-a-source",
    "cannot-inherit",
    "hands-off",
    "keep-without-record",
    "await-the-record",
    "let-it-start",
    "let-it-stop",
    "let-it-be-held",
    "stay-fenced",
  ] as const);
  for (const start of cells) {
    let at: { part: Part; ground: Ground } | null = start;
    const path: string[] = [];
    while (at !== null && !stays.has(TABLE[at.part][at.ground])) {
      const rule: RuleName = TABLE[at.part][at.ground];
      path.push(rule);
      assert(path.length <= 6, `no end from ${start.part}/${start.ground}: ${path.join(", ")}`);
      const outcome: Outcome | undefined = OUTCOME[RULES[rule].effect];
      assert(outcome, `${rule} has an outcome`);
      at = outcome(at);
    }
  }
});

test("a lease that was released and taken again makes its old holder a follower", () => {
  const held = record({ leader: leaderOf(SELF), term: 3 });
  const released = releaseLease(held, { member: SELF, term: 3, heir: "demo-2" });
  assert(released);
  assert.equal(partIn(released), "waiting");
  const position = { lsn: null, timeline: null };
  const taken = takeLease(released, { member: "demo-2", position, at: "", reason: "test" });
  assert.equal(partIn(taken), "follower");
});

test("a crashed primary steps down only where another could take its part", () => {
  const forks = [{ timeline: 2, term: 3 }];
  const led = record({ leader: leaderOf(SELF), term: 3, forks });
  assert.equal(decided({ record: led, ground: "crashed" }).effect, "step-down");
  const paused = { ...led, paused: true };
  assert.equal(decided({ record: paused, ground: "crashed" }).effect, "start");
  const { [SELF]: own } = led.members;
  assert(own);
  const alone = { ...led, members: { [SELF]: own } };
  assert.equal(decided({ record: alone, ground: "crashed" }).effect, "start");
  const silent = { ...led, leader: { ...leaderOf(SELF), timeline: null } };
  assert.equal(decided({ record: silent, ground: "crashed" }).effect, "step-down");
  const unannounced = { ...led, forks: [{ timeline: 2, term: 2 }] };
  assert.equal(decided({ record: unannounced, ground: "crashed" }).effect, "start");
});

test("nothing is decided without a person while the cluster is paused", () => {
  for (const ground of GROUNDS) {
    const bereaved = { ...record({ leader: leaderOf("demo-2") }), paused: true };
    assert.notEqual(
      decided({ record: bereaved, ground, leaderIsGone: true }).effect,
      "open-election",
    );
    const electing = record({ electing: true, paused: true });
    assert.notEqual(decided({ record: electing, ground }).effect, "stand");
  }
});

test("a primary that cannot start frees its lease, but not while it is paused or alone", () => {
  const led = record({ leader: leaderOf(SELF), term: 3 });
  for (const ground of ["stopped", "crashed"] as const) {
    const seen = { record: led, ground, cannotStart: true };
    assert.equal(decided(seen).rule, "cannot-lead");
    assert.equal(decided({ ...seen, record: { ...led, paused: true } }).effect, "start");
    const { [SELF]: own } = led.members;
    assert(own);
    const alone = { ...led, members: { [SELF]: own } };
    assert.equal(decided({ ...seen, record: alone }).effect, "start");
  }
});

test("a primary that lets nobody in steps down, but not while it is paused, fenced or alone", () => {
  const led = record({ leader: leaderOf(SELF), term: 3 });
  const seen = { record: led, ground: "primary", isShutOut: true } as const;
  assert.equal(decided(seen).rule, "step-down-when-shut-out");
  assert.equal(decided({ ...seen, record: { ...led, paused: true } }).rule, "lead");
  assert.equal(decided({ ...seen, record: { ...led, fenced: [SELF] } }).rule, "fence-member");
  assert.equal(decided({ ...seen, record: AS.follower }).rule, "fence-old-primary");
  assert.equal(decided({ ...seen, ground: "starting" }).rule, "step-down-when-shut-out");
  const { [SELF]: own } = led.members;
  assert(own);
  assert.equal(decided({ ...seen, record: { ...led, members: { [SELF]: own } } }).rule, "lead");
});

test("a member that is fenced is never started nor promoted, and one that runs is stopped", () => {
  for (const part of ["fenced", "fenced-leader"] as const)
    for (const ground of GROUNDS) {
      const { effect } = decided({ record: AS[part], ground });
      assert(["wait", "fence", "resign"].includes(effect), `${part}, ${ground}: ${effect}`);
      const isDown = ["nothing", "half-made", "foreign", "stopped", "crashed"].includes(ground);
      assert.equal(effect === "fence", !isDown, `${part}, ${ground}: ${effect}`);
    }
});

test("a pause keeps nobody from being fenced, and a fenced heir does not take the lease", () => {
  const paused = record({ leader: leaderOf(SELF), fenced: [SELF], paused: true });
  assert.equal(decided({ record: paused, ground: "held" }).rule, "fence-member");
  const named = record({ heir: SELF, fenced: [SELF] });
  assert.equal(decided({ record: named, ground: "stopped" }).rule, "resign-when-fenced");
});
