// The deadman and its guard as real processes beside real servers: when PostgreSQL is killed, when
// it is not, and what is left.
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { DISMISS, endDeadmen } from "../../src/agent/deadman/deadmen.ts";
import { TRIES_VARIABLE } from "../../src/agent/deadman/guardian.ts";
import { graceMs } from "../../src/agent/deadman/policy.ts";
import { findServerProcesses } from "../../src/postgres/processes.ts";
import { BareServer } from "../support/bare-server.ts";
import { isAlive, signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { Guarded, TTL_MS, now } from "./guarded.ts";

/** Where a process of Node has to come up within the lease, on a machine that has much to do. */
const LONG_TTL_MS = 6_000;
/**
 * From the deadline until no process of the server is left. It takes a tenth of it; less than a
 * lease, so that one more of them would be noticed.
 */
const KILL_LIMIT_MS = 1_500;
/** The clocks are read to 10 ms, and not at one moment. */
const CLOCKS_MS = 30;

/** Not before the last word's deadline; and nothing was said after the agent fell silent. */
function assertOnTime(
  guarded: Guarded,
  of: { silentAt: number; deadAt: number; leaseMs: number },
): void {
  const waited = of.deadAt - guarded.heardMs;
  assert.ok(waited >= of.leaseMs - CLOCKS_MS, `killed after ${waited} ms, before the deadline`);
  const ms = of.deadAt - of.silentAt;
  assert.ok(ms <= of.leaseMs + KILL_LIMIT_MS, `killed after ${ms} ms, too late`);
}

for (const major of [15, 10] as const)
  describe(`PostgreSQL ${major}, the deadman`, () => {
    for (const how of ["SIGKILL", "SIGSTOP"] as const)
      it(`kills at the deadline, and not before, after ${how} of the agent`, async () => {
        await using guarded = await Guarded.start({}, major);
        const silentAt = now();
        signal(guarded.parent, how);
        const deadAt = await guarded.untilKilled();
        assertOnTime(guarded, { silentAt, deadAt, leaseMs: TTL_MS });
        const [event] = await eventually("it says so", async () => {
          const found = await guarded.events("server-killed");
          return found.length > 0 && found;
        });
        assert.equal(event?.member, "demo-1");
        assert.equal(event?.details?.["agent"], how === "SIGKILL" ? "has died" : "is stopped");
        assert.equal(event?.details?.["term"], 3);
        assert.ok(Number(event?.details?.["processes"]) >= 6);
        assert.ok(Number(event?.details?.["lateMs"]) <= KILL_LIMIT_MS);
      });

    it("kills a backend in a loop that has outlived its postmaster", async () => {
      await using guarded = await Guarded.start({}, major);
      const client = await guarded.server.client();
      const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      const lost = client.query("DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$").catch(() => "lost");
      signal(guarded.postmaster, "SIGKILL");
      await eventually("only the backend is left", () => {
        const left = findServerProcesses(guarded.server.dataDir);
        return left.length === 1 && left[0]?.pid === rows[0]?.pid;
      });
      signal(guarded.parent, "SIGSTOP");
      await guarded.untilKilled();
      assert.equal(await lost, "lost");
      await eventually("it says so, once", async () => {
        return (await guarded.events("server-killed")).length === 1;
      });
    });
  });

describe("the deadman", () => {
  it("kills nothing while the agent's loop turns, however slowly", async () => {
    await using guarded = await Guarded.start({ busyMs: 1_000, ttlMs: LONG_TTL_MS / 2 });
    await delay(LONG_TTL_MS);
    assert.ok(guarded.isServed());
    assert.deepEqual(await guarded.events("server-killed"), []);
  });

  it("starts a dead agent again, which takes over in time: the server lives", async () => {
    await using guarded = await Guarded.start({ successor: "this", ttlMs: LONG_TTL_MS });
    const { parent, deadman } = guarded;
    await guarded.server.value("SELECT 1");
    signal(parent, "SIGKILL");
    await eventually("another agent runs", () => guarded.parents.length === 2);
    await guarded.untilWatchedBy(guarded.parent);
    assert.notEqual(guarded.deadman, deadman);
    await eventually("the one before it has ended", () => !isAlive(deadman));
    await delay(LONG_TTL_MS * 1.2);
    assert.ok(guarded.isServed());
    assert.equal(guarded.parents.length, 2, "one successor, not more");
    assert.equal((await guarded.events("agent-restarted")).length, 1);
  });

  it("is relieved by an agent that somebody else has started", async () => {
    await using guarded = await Guarded.start({ ttlMs: LONG_TTL_MS });
    const { parent, deadman } = guarded;
    signal(parent, "SIGKILL");
    await guarded.startParent({ ttlMs: LONG_TTL_MS });
    await eventually("the one before it has ended", () => !isAlive(deadman));
    await delay(LONG_TTL_MS * 1.2);
    assert.ok(guarded.isServed());
  });

  it("goes on trying when the agent does not come up, once a minute after ten times, and says so", async () => {
    await using guarded = await Guarded.start({
      holdsLease: false,
      env: { [TRIES_VARIABLE]: "9" },
    });
    const { deadman } = guarded;
    await guarded.server.stop();
    signal(guarded.parent, "SIGKILL");
    const [told] = await eventually("it says so", async () => {
      const found = await guarded.events("agent-keeps-dying");
      return found.length > 0 && found;
    });
    assert.match(told?.message ?? "", /^The agent of demo-1 has died 10 times in a row \(it ended/);
    const tries = await guarded.events("agent-restarted");
    assert.deepEqual(
      tries.map(({ details }) => details?.["attempt"]),
      [10],
    );
    assert.ok(isAlive(deadman), "it goes on");
  });

  it("ends when the agent does not come up because its member was deleted", async () => {
    await using guarded = await Guarded.start({ holdsLease: false });
    const { deadman, directory, parent } = guarded;
    await guarded.server.stop();
    signal(parent, "SIGSTOP");
    await rename(directory, `${directory}.away`);
    signal(parent, "SIGKILL");
    await eventually("it ends", () => !isAlive(deadman));
    await rename(`${directory}.away`, directory);
  });

  it("that was stopped over its deadline kills soon when it goes on and the agent is not heard", async () => {
    await using guarded = await Guarded.start();
    signal(guarded.deadman, "SIGSTOP");
    signal(guarded.parent, "SIGSTOP");
    await delay(TTL_MS * 2);
    assert.ok(guarded.isServed());
    const goesOnAt = now();
    signal(guarded.deadman, "SIGCONT");
    const deadAt = await guarded.untilKilled();
    const ms = deadAt - goesOnAt;
    assert.ok(ms <= graceMs("own-liveness") + KILL_LIMIT_MS, `${ms} ms`);
  });

  it("that was stopped over its deadline first reads what the agent has said since", async () => {
    await using guarded = await Guarded.start();
    signal(guarded.deadman, "SIGSTOP");
    await delay(TTL_MS * 2);
    signal(guarded.deadman, "SIGCONT");
    await delay(TTL_MS * 2);
    assert.ok(guarded.isServed());
  });

  it("kills nothing of a member that has no lease and is not writable", async () => {
    await using guarded = await Guarded.start({ holdsLease: false });
    signal(guarded.parent, "SIGKILL");
    await delay(TTL_MS * 2);
    assert.ok(guarded.isServed());
  });

  it("of an agent that had nothing to guard is there with its first deadline", async () => {
    await using guarded = await Guarded.start({ withinMs: 600_000 });
    const silentAt = now();
    signal(guarded.parent, "SIGKILL");
    const deadAt = await guarded.untilKilled();
    assertOnTime(guarded, { silentAt, deadAt, leaseMs: TTL_MS });
  });

  it("of an agent that has nothing to guard for long is there all the same, and starts it again", async () => {
    await using guarded = await Guarded.start({
      holdsLease: false,
      withinMs: 500,
      successor: "this",
    });
    signal(guarded.parent, "SIGKILL");
    await eventually("another agent runs", () => guarded.parents.length === 2);
    assert.ok(guarded.isServed());
  });

  it("kills nothing while an agent without the lease has not looked yet at what it found", async () => {
    await using guarded = await Guarded.start({ holdsLease: false, isUnseen: true });
    await delay(TTL_MS * 2);
    assert.ok(guarded.isServed());
    signal(guarded.parent, "SIGSTOP");
    await guarded.untilKilled();
  });

  it("kills nothing but the server of its own directory", async () => {
    await using guarded = await Guarded.start();
    await using other = await BareServer.make({ installation: guarded.server.installation });
    const postmaster = await other.start();
    const before = findServerProcesses(other.dataDir).length;
    signal(guarded.parent, "SIGSTOP");
    await guarded.untilKilled();
    assert.ok(isAlive(postmaster));
    assert.ok(findServerProcesses(other.dataDir).length >= before);
    assert.equal(await other.value("SELECT 1"), 1);
  });

  it("is replaced when it is killed, and two of them do no harm", async () => {
    await using guarded = await Guarded.start();
    const { deadman, parent } = guarded;
    signal(deadman, "SIGKILL");
    // Until it is gone it is found as if it still watched.
    await eventually("the deadman is gone", () => !isAlive(deadman));
    await guarded.untilWatchedBy(parent);
    assert.notEqual(guarded.deadman, deadman);
    const silentAt = now();
    signal(parent, "SIGSTOP");
    assertOnTime(guarded, { silentAt, deadAt: await guarded.untilKilled(), leaseMs: TTL_MS });
  });

  it("goes with an agent that ends on purpose, once no server is left to be watched", async () => {
    await using guarded = await Guarded.start();
    const { deadman, parent } = guarded;
    await guarded.server.stop();
    signal(parent, "SIGTERM");
    await eventually("the agent ends", () => !isAlive(parent));
    await eventually("the one before it has ended", () => !isAlive(deadman));
    assert.deepEqual(await guarded.events("agent-restarted"), []);
  });

  it("watches on when an agent ends on purpose and leaves a writable server behind", async () => {
    await using guarded = await Guarded.start();
    const { deadman, parent } = guarded;
    const silentAt = now();
    signal(parent, "SIGTERM");
    const deadAt = await guarded.untilKilled();
    assertOnTime(guarded, { silentAt, deadAt, leaseMs: TTL_MS });
    await eventually("the deadman ends", () => !isAlive(deadman));
    assert.deepEqual(await guarded.events("agent-restarted"), []);
  });

  it("ends when it is dismissed, and neither kills nor starts anything", async () => {
    await using guarded = await Guarded.start({ successor: "this" });
    signal(guarded.deadman, "SIGSTOP");
    signal(guarded.parent, "SIGKILL");
    signal(guarded.deadman, "SIGCONT");
    await endDeadmen({ dataDir: guarded.server.dataDir, signal: DISMISS });
    assert.deepEqual(guarded.deadmen(), []);
    await delay(TTL_MS * 2);
    assert.ok(guarded.isServed());
    assert.deepEqual(guarded.parents.filter(isAlive), []);
  });
});

describe("the deadline", () => {
  it("of confirmed renewals runs out while the agent lives and the store does not confirm", async () => {
    const confirmsForMs = TTL_MS;
    await using guarded = await Guarded.start({ policy: "confirmed-renewals", confirmsForMs });
    await guarded.untilKilled();
    const [event] = await eventually("it says so", async () => {
      const found = await guarded.events("server-killed");
      return found.length > 0 && found;
    });
    assert.equal(event?.details?.["agent"], "hangs or cannot renew it");
  });

  it("of confirmed renewals ends before the lease does, by a fifth of it", async () => {
    await using guarded = await Guarded.start({
      policy: "confirmed-renewals",
      ttlMs: LONG_TTL_MS,
    });
    await delay(LONG_TTL_MS * 1.2);
    assert.ok(guarded.isServed());
    const silentAt = now();
    signal(guarded.parent, "SIGSTOP");
    const deadAt = await guarded.untilKilled();
    assertOnTime(guarded, { silentAt, deadAt, leaseMs: LONG_TTL_MS * 0.8 });
    assert.ok(deadAt - silentAt < LONG_TTL_MS, "nobody else can have the lease yet");
  });

  it("of the agent's own liveness does not ask whether the store confirms", async () => {
    await using guarded = await Guarded.start({ policy: "own-liveness", confirmsForMs: 0 });
    await delay(TTL_MS * 3);
    assert.ok(guarded.isServed());
  });
});
