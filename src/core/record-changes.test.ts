import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { newRecord, parseRecord, formatRecord, type ClusterRecord } from "./record.ts";
import * as changes from "./record-changes.ts";

const MEMBERS = ["demo-1", "demo-2", "demo-3"] as const;
const NOWHERE = { lsn: null, timeline: null };

function fresh(): ClusterRecord {
  const members = Object.fromEntries(
    MEMBERS.map((name, index) => [
      name,
      { host: "127.0.0.1", port: 6431 + index, apiPort: 7431 + index, tags: {} },
    ]),
  );
  return newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 2000, members });
}

function led(): ClusterRecord {
  const taken = changes.takeLease(fresh(), taker("demo-1"));
  assert(taken);
  return taken;
}

function taker(member: string) {
  return { member, position: NOWHERE, at: "2026-11-22T12:00:00.000Z", reason: "test" };
}

test("only the member that is named takes a free lease, and the term rises by one", () => {
  const record = fresh();
  assert.equal(changes.takeLease(record, taker("demo-2")), null);
  const taken = changes.takeLease(record, taker("demo-1"));
  assert.equal(taken?.term, 1);
  assert.equal(taken.leader?.member, "demo-1");
  assert.equal(taken.heir, null);
  assert.equal(taken.history.at(-1)?.member, "demo-1");
});

test("nobody takes a lease that is held, its holder included", () => {
  for (const member of MEMBERS) assert.equal(changes.takeLease(led(), taker(member)), null);
});

test("a renewal counts for the holder of the present term alone", () => {
  const holder = { member: "demo-1", term: 1, position: { lsn: "0/3000060", timeline: 2 } };
  const renewed = changes.renewLease(led(), holder);
  assert.equal(renewed?.leader?.renewals, 1);
  // Nobody may follow a timeline before it is known which term began it.
  assert.equal(renewed.leader?.timeline, null);
  assert.equal(changes.renewLease(led(), { ...holder, term: 0 }), null);
  assert.equal(changes.renewLease(led(), { ...holder, member: "demo-2" }), null);
});

test("a hand-over by name lets only that name take the lease", () => {
  const announced = changes.beginSwitchover(led(), { from: "demo-1", to: "demo-2", term: 1 });
  assert(announced);
  const released = changes.releaseLease(announced, { member: "demo-1", term: 1, heir: "demo-2" });
  assert(released);
  assert.equal(changes.takeLease(released, taker("demo-3")), null);
  assert.equal(changes.takeLease(released, taker("demo-1")), null);
  const taken = changes.takeLease(released, taker("demo-2"));
  assert.equal(taken?.term, 2);
  const forks = [{ timeline: 3, term: 2 }];
  const position = { lsn: "0/3000060", timeline: 3 };
  const announced2 = changes.announcePrimary(taken, { member: "demo-2", term: 2, position, forks });
  assert.equal(announced2?.switchover, null);
  assert.equal(announced2?.leader?.timeline, 3);
});

test("the old primary takes a hand-over back that nobody took up, and only it", () => {
  const announced = changes.beginSwitchover(led(), { from: "demo-1", to: "demo-2", term: 1 });
  assert(announced);
  assert.equal(changes.reclaimHandover(announced, "demo-1"), null);
  const released = changes.releaseLease(announced, { member: "demo-1", term: 1, heir: "demo-2" });
  assert(released);
  assert.equal(changes.reclaimHandover(released, "demo-3"), null);
  assert.equal(changes.reclaimHandover(released, "demo-1")?.heir, "demo-1");
});

test("a hand-over that was taken up cannot be taken back", () => {
  const announced = changes.beginSwitchover(led(), { from: "demo-1", to: "demo-2", term: 1 });
  assert(announced);
  const released = changes.releaseLease(announced, { member: "demo-1", term: 1, heir: "demo-2" });
  assert(released);
  const taken = changes.takeLease(released, taker("demo-2"));
  assert(taken);
  assert.equal(changes.reclaimHandover(taken, "demo-1"), null);
});

test("a hand-over that was taken up and given up again cannot be taken back", () => {
  const announced = changes.beginSwitchover(led(), { from: "demo-1", to: "demo-2", term: 1 });
  assert(announced);
  const released = changes.releaseLease(announced, { member: "demo-1", term: 1, heir: "demo-2" });
  assert(released);
  const taken = changes.takeLease(released, taker("demo-2"));
  assert(taken);
  const givenUp = changes.releaseLease(taken, { member: "demo-2", term: 2, heir: null });
  assert(givenUp);
  assert.equal(changes.reclaimHandover(givenUp, "demo-1"), null);
  // Stopped on request before it was announced: it is named to come back, as it was at first.
  const stopped = changes.releaseLease(taken, { member: "demo-2", term: 2, heir: "demo-2" });
  assert.equal(stopped?.heir, "demo-2");
  assert.equal(stopped.switchover, null);
  assert.equal(changes.reclaimHandover(stopped, "demo-1"), null);
  const asBefore = { ...stopped, switchover: taken.switchover };
  assert.equal(changes.reclaimHandover(asBefore, "demo-1"), null);
});

test("a failover by hand is refused once the term or the leader is another than was looked at", () => {
  const appointment = { member: "demo-2", deadLeader: "demo-1", term: 1 };
  assert.equal(changes.appointHeir(led(), appointment)?.heir, "demo-2");
  assert.equal(changes.appointHeir(led(), { ...appointment, term: 0 }), null);
  assert.equal(changes.appointHeir(led(), { ...appointment, deadLeader: "demo-3" }), null);
  assert.equal(changes.appointHeir(led(), { ...appointment, member: "demo-9" }), null);
});

test("the leader and the heir cannot be removed", () => {
  assert.equal(changes.removeMember(led(), "demo-1"), null);
  assert.equal(changes.removeMember(fresh(), "demo-1"), null);
  assert.deepEqual(Object.keys(changes.removeMember(led(), "demo-2")?.members ?? {}), [
    "demo-1",
    "demo-3",
  ]);
});

test("whatever is asked in whatever order: terms never fall, rise only with a change of hands, and the record stays readable", () => {
  const member = fc.constantFrom(...MEMBERS, "demo-9");
  const term = fc.nat(4);
  const step = fc.oneof(
    member.map((who) => (record: ClusterRecord) => changes.takeLease(record, taker(who))),
    fc.tuple(member, term).map(
      ([who, of]) =>
        (record: ClusterRecord) =>
          changes.renewLease(record, { member: who, term: of, position: NOWHERE }),
    ),
    fc.tuple(member, term, fc.option(member)).map(
      ([who, of, heir]) =>
        (record: ClusterRecord) =>
          changes.releaseLease(record, { member: who, term: of, heir }),
    ),
    fc.tuple(member, member, term).map(
      ([from, to, of]) =>
        (record: ClusterRecord) =>
          changes.beginSwitchover(record, { from, to, term: of }),
    ),
    fc.constant(changes.withdrawSwitchover),
    member.map((who) => (record: ClusterRecord) => changes.reclaimHandover(record, who)),
    fc.tuple(member, term).map(([who, of]) => (record: ClusterRecord) => {
      const forks = [{ timeline: of + 2, term: of }];
      const position = { lsn: null, timeline: of + 2 };
      return changes.announcePrimary(record, { member: who, term: of, position, forks });
    }),
    fc.tuple(member, fc.option(member), term).map(
      ([who, deadLeader, of]) =>
        (record: ClusterRecord) =>
          changes.appointHeir(record, { member: who, deadLeader, term: of }),
    ),
    term.map((of) => (record: ClusterRecord) => changes.reopenElection(record, { term: of })),
    fc.tuple(fc.option(member), fc.option(member), term).map(
      ([leader, heir, of]) =>
        (record: ClusterRecord) =>
          changes.openElection(record, { leader, heir, term: of }),
    ),
    fc.tuple(member, term).map(
      ([who, of]) =>
        (record: ClusterRecord) =>
          changes.takeElectedLease(record, { ...taker(who), term: of }),
    ),
    fc.boolean().map((paused) => (record: ClusterRecord) => changes.setPaused(record, paused)),
    member.map((who) => (record: ClusterRecord) => changes.removeMember(record, who)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let record = fresh();
      for (const change of steps) {
        const next = change(record);
        if (next === null) continue;
        const changedHands = next.term !== record.term;
        assert(next.term === record.term || next.term === record.term + 1);
        // A lease is never taken from a living term without that term ending first.
        if (changedHands) assert.equal(record.leader, null);
        else if (record.leader !== null && next.leader !== null)
          assert.equal(next.leader.member, record.leader.member);
        // Nobody is named to take a lease that somebody holds.
        if (next.leader !== null) assert.equal(next.heir, null);
        assert.deepEqual(parseRecord(formatRecord(next)), next);
        record = next;
      }
    }),
  );
});

test("a revoked lease is nobody's until an heir is named, and only the looked-at record's is revoked", () => {
  const of = { deadLeader: "demo-1", term: 1 };
  const revoked = changes.revokeLease(led(), of);
  assert(revoked);
  assert.deepEqual([revoked.leader, revoked.heir, revoked.term], [null, null, 1]);
  for (const member of MEMBERS) assert.equal(changes.takeLease(revoked, taker(member)), null);
  const appointment = { member: "demo-2", deadLeader: null, term: 1 };
  const named = changes.appointHeir(revoked, appointment);
  assert.equal(named && changes.takeLease(named, taker("demo-2"))?.term, 2);
  assert.equal(changes.revokeLease(led(), { ...of, term: 0 }), null);
  assert.equal(changes.revokeLease(led(), { ...of, deadLeader: "demo-2" }), null);
  assert.equal(changes.revokeLease(led(), { ...of, deadLeader: null }), null);
});

test("an election is opened for the one that was seen to be gone, in its term, and not while paused", () => {
  const record = led();
  const gone = { leader: "demo-1", heir: null, term: record.term };
  assert.equal(changes.openElection(record, { ...gone, leader: "demo-2" }), null);
  assert.equal(changes.openElection(record, { ...gone, term: record.term - 1 }), null);
  assert.equal(changes.openElection({ ...record, paused: true }, gone), null);
  const open = changes.openElection({ ...record, systemId: "7" }, gone);
  assert(open);
  assert.deepEqual(
    [open.leader, open.heir, open.electing, open.term],
    [null, null, true, record.term],
  );
  assert.equal(changes.openElection(open, { ...gone, leader: null }), null, "it is open already");
  assert.equal(changes.takeLease(open, taker("demo-2")), null, "nobody is named");
});

test("an election ends with the first who takes the lease, and never with one that is barred", () => {
  const record = changes.openElection(
    { ...led(), systemId: "7" },
    { leader: "demo-1", heir: null, term: led().term },
  );
  assert(record);
  const winner = { ...taker("demo-2"), term: record.term };
  const taken = changes.takeElectedLease(record, winner);
  assert(taken);
  assert.deepEqual(
    [taken.term, taken.leader?.member, taken.electing],
    [record.term + 1, "demo-2", false],
  );
  assert.equal(changes.takeElectedLease(taken, { ...taker("demo-3"), term: taken.term }), null);
  assert.equal(changes.takeElectedLease(record, { ...winner, term: record.term + 1 }), null);
  const { "demo-2": second } = record.members;
  assert(second);
  const members = { ...record.members, "demo-2": { ...second, tags: { nofailover: true } } };
  assert.equal(changes.takeElectedLease({ ...record, members }, winner), null);
});

test("a person's pause and a person's choice end an election", () => {
  const record = changes.openElection(
    { ...led(), systemId: "7" },
    { leader: "demo-1", heir: null, term: led().term },
  );
  assert(record);
  const winner = { ...taker("demo-2"), term: record.term };
  assert.equal(changes.takeElectedLease({ ...record, paused: true }, winner), null);
  const chosen = { member: "demo-3", deadLeader: null, term: record.term };
  const appointed = changes.appointHeir(record, chosen);
  assert(appointed);
  assert.equal(changes.takeElectedLease(appointed, winner), null);
  assert(changes.takeLease(appointed, taker("demo-3")));
});

test("a member that is fenced neither takes nor is given a lease, in whatever way", () => {
  const named = changes.fenceMember({ ...fresh(), systemId: "7" }, "demo-1");
  assert(named);
  assert.equal(changes.takeLease(named, taker("demo-1")), null);
  const freed = changes.resignLease(named, { member: "demo-1", term: 0 });
  assert(freed);
  assert.equal(changes.isElecting(freed), true);
  const winner = { ...taker("demo-1"), term: 0 };
  assert.equal(changes.takeElectedLease(freed, winner), null);
  const appointed = { member: "demo-1", deadLeader: null, term: 0 };
  assert.equal(changes.appointHeir(freed, appointed), null);
  const fencedStandby = changes.fenceMember(led(), "demo-2");
  assert(fencedStandby);
  const plan = { from: "demo-1", to: "demo-2", term: 1 };
  assert.equal(changes.beginSwitchover(fencedStandby, plan), null);
});

test("fencing twice changes nothing, unfencing undoes it, and a removed member is not fenced any more", () => {
  const fenced = changes.fenceMember(led(), "demo-2");
  assert(fenced);
  assert.equal(changes.fenceMember(fenced, "demo-2"), null);
  assert.equal(changes.fenceMember(fenced, "demo-9"), null);
  assert.deepEqual(changes.unfenceMember(fenced, "demo-2"), led());
  assert.equal(changes.unfenceMember(led(), "demo-2"), null);
  assert.deepEqual(changes.removeMember(fenced, "demo-2")?.fenced, []);
});

test("who resigned while nobody could succeed it is the one to lead when it is unfenced", () => {
  const fenced = changes.fenceMember(led(), "demo-1");
  assert(fenced);
  const nobodys = { ...fenced, leader: null, heir: null, electing: false };
  assert.equal(changes.unfenceMember(nobodys, "demo-1")?.heir, "demo-1");
  assert.equal(changes.unfenceMember({ ...nobodys, heir: "demo-2" }, "demo-1")?.heir, "demo-2");
});

test("a lease that is given up during a pause is chosen for when the pause ends", () => {
  const paused = changes.setPaused({ ...led(), systemId: "7" }, true);
  assert(paused);
  const resigned = changes.resignLease(paused, { member: "demo-1", term: 1 });
  assert(resigned);
  assert.equal(changes.isElecting(resigned), false);
  const resumed = changes.setPaused(resigned, false);
  assert.equal(resumed === null ? null : changes.isElecting(resumed), true);
  assert.equal(changes.resignLease(paused, { member: "demo-2", term: 1 }), null);
});

function promised(record: ClusterRecord, members: readonly string[]): ClusterRecord {
  const guarantee = { required: 1, members, renewed: [] };
  return { ...record, sync: { ...record.sync, mode: "on", guarantee } };
}

test("who takes the lease leaves the synchronous set, and who had it comes in, in one change", () => {
  const before = promised(led(), ["demo-2", "demo-3"]);
  const gone = { leader: "demo-1", heir: null, term: 1 };
  const open = changes.openElection({ ...before, systemId: "1" }, gone);
  assert(open);
  const taken = changes.takeElectedLease(open, { ...taker("demo-3"), term: 1 });
  assert.deepEqual(taken?.sync.guarantee?.members, ["demo-1", "demo-2"]);
  assert.equal(taken.sync.guarantee.required, 1);
});

test("a primary that takes its own lease again promises what it has promised", () => {
  const before = promised(led(), ["demo-2"]);
  const released = changes.releaseLease(before, { member: "demo-1", term: 1, heir: "demo-1" });
  assert(released);
  const taken = changes.takeLease(released, taker("demo-1"));
  assert.deepEqual(taken?.sync, before.sync);
});

test("a promise is only changed by the leader, and only the one that it was made from", () => {
  const before = promised(led(), ["demo-2"]);
  const next = { required: 1, members: ["demo-2", "demo-3"], renewed: [] };
  const change = { member: "demo-1", term: 1, before: before.sync, next };
  assert.deepEqual(changes.setGuarantee(before, change)?.sync.guarantee, next);
  assert.equal(changes.setGuarantee(before, { ...change, term: 2 }), null);
  assert.equal(changes.setGuarantee(before, { ...change, member: "demo-2" }), null);
  const other = promised(before, ["demo-3"]);
  assert.equal(changes.setGuarantee(other, change), null);
});

test("a member that copies the leader anew takes back what was seen of it", () => {
  assert.equal(changes.beginCopy(led(), "demo-2"), null);
  const before = promised(led(), ["demo-2"]);
  const copied = changes.beginCopy(before, "demo-2");
  assert.deepEqual(copied?.sync.guarantee?.renewed, ["demo-2"]);
  const other = changes.beginCopy(before, "demo-3");
  assert.deepEqual(other?.sync.guarantee, before.sync.guarantee);
  const change = { member: "demo-1", term: 1, before: before.sync, next: null };
  assert.equal(changes.setGuarantee(other, change), null);
});

test("who saw a leader that is gone opens no election once that has stopped and named itself", () => {
  const record = { ...led(), systemId: "7" };
  const seen = { leader: "demo-1", heir: null, term: record.term };
  const stopped = changes.releaseLease(record, { member: "demo-1", term: 1, heir: "demo-1" });
  assert(stopped);
  assert.equal(changes.openElection(stopped, seen), null);
  assert(changes.openElection(record, seen));
});

test("a scheduled switchover survives a restart of the same primary, and no other change of hands", () => {
  const scheduled = { at: "2026-11-23T03:00:00.000Z", to: "demo-2" };
  const planned = changes.scheduleSwitchover(led(), scheduled);
  assert.deepEqual(planned?.scheduled, scheduled);
  const handed = (heir: string) => {
    const released = changes.releaseLease(planned, { member: "demo-1", term: 1, heir });
    assert(released);
    return changes.takeLease(released, taker(heir));
  };
  assert.deepEqual(handed("demo-1")?.scheduled, scheduled);
  assert.equal(handed("demo-3")?.scheduled, null);
  assert.equal(changes.removeMember(planned, "demo-2")?.scheduled, null);
  assert.deepEqual(changes.removeMember(planned, "demo-3")?.scheduled, scheduled);
  assert.equal(changes.cancelScheduled(planned)?.scheduled, null);
  assert.equal(changes.cancelScheduled(led()), null);
});

test("a scheduled switchover begins only while it is scheduled", () => {
  const scheduled = { at: "2026-11-23T03:00:00.000Z", to: "demo-2" };
  const planned = changes.scheduleSwitchover(led(), scheduled);
  assert.ok(planned);
  const plan = { from: "demo-1", to: "demo-2", term: planned.term };
  const begun = changes.beginSwitchover(planned, { ...plan, scheduled });
  assert.deepEqual(begun?.switchover, { from: "demo-1", to: "demo-2" });
  const cancelled = changes.cancelScheduled(planned);
  assert.ok(cancelled);
  assert.equal(changes.beginSwitchover(cancelled, { ...plan, scheduled }), null);
  const other = { ...planned, scheduled: { ...scheduled, to: "demo-3" } };
  assert.equal(changes.beginSwitchover(other, { ...plan, scheduled }), null);
  assert.ok(changes.beginSwitchover(cancelled, plan));
});

test("a switchover is scheduled only to another member that may lead, while somebody leads", () => {
  const at = "2026-11-23T03:00:00.000Z";
  for (const to of ["demo-1", "demo-9"])
    assert.equal(changes.scheduleSwitchover(led(), { at, to }), null, to);
  const fenced = changes.fenceMember(led(), "demo-2");
  assert(fenced);
  assert.equal(changes.scheduleSwitchover(fenced, { at, to: "demo-2" }), null);
  assert.equal(changes.scheduleSwitchover(fresh(), { at, to: "demo-2" }), null);
});
