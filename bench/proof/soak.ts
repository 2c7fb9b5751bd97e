// A soak: one cluster, clients that never stop, fault after fault; after each, everybody must come
// back and every promise must have been kept.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ownProgram } from "../../src/cli/entry.ts";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import { messageOf } from "../../src/core/errors.ts";
import { openCluster, readRecord, type LocalCluster } from "../../src/local/cluster.ts";
import { readClusterStatus } from "../../src/local/read-status.ts";
import { faultOf, type Fault } from "../../src/local/drill/fault.ts";
import { Load } from "../../src/local/drill/load.ts";
import { longestGap, spreadOf } from "../../src/local/drill/statistics.ts";
import { makeDrillTable } from "../../src/local/drill/drill.ts";
import type { Random } from "../../test/simulation/random.ts";
import type { TestCluster } from "../../test/support/local-cluster.ts";
import { footprintOf, type Footprint } from "./growth.ts";
import { checkRows } from "./row-check.ts";
import { drawFault, type DrawnFault } from "./soak-faults.ts";

export class SoakViolation extends Error {}

interface Around {
  readonly random: Random;
  readonly say: (text: string) => void;
}

/** A cluster that is not whole by then does not come back by itself. */
const HEAL_LIMIT_MS = 120_000;
const TAKEOVER_LIMIT_MS = 60_000;
const POLL_MS = 20;
/** A line for each of so many failovers in a row is enough. */
const SAY_EVERY = 25;
/** Beyond these something has grown that should not. */
const BOUNDS: Partial<Record<keyof Footprint, number>> = {
  worstAgentRssMb: 90,
  spoolFiles: 0,
  leftovers: 0,
  keptDirectories: 9,
  timelineHistories: 400,
  walMb: 4_000,
  slots: 6,
  agentOpenFiles: 200,
  recordBytes: 32 * 1024,
  journalMb: 30,
};

type HealedStatus = ClusterStatus & { readonly primary: string };

export class Soak {
  readonly footprints: { readonly when: string; readonly is: Footprint }[] = [];
  readonly #cluster: TestCluster;
  readonly #opened: LocalCluster;
  readonly #around: Around;
  readonly #load: Load;
  readonly #begunMs = performance.now();
  readonly #counts = new Map<string, number>();
  readonly #gapsMs: number[] = [];
  readonly #healedMs: number[] = [];
  #checked = 0;
  #terms = { first: 0, last: 0 };

  private constructor(of: {
    cluster: TestCluster;
    opened: LocalCluster;
    load: Load;
    around: Around;
  }) {
    this.#cluster = of.cluster;
    this.#opened = of.opened;
    this.#load = of.load;
    this.#around = of.around;
  }

  static async begin(cluster: TestCluster, around: Around): Promise<Soak> {
    const opened = await openCluster({ name: cluster.name, dir: cluster.dir });
    const { primary } = await cluster.untilHealthy();
    await makeDrillTable(opened);
    const { members, term } = await readRecord(opened);
    const password = opened.secrets.application;
    const load = new Load({ members, primary: primary ?? "", password, firstWriter: 0 });
    await load.warmUp(AbortSignal.timeout(HEAL_LIMIT_MS));
    const soak = new Soak({ cluster, opened, load, around });
    soak.#terms = { first: term, last: term };
    return soak;
  }

  /** @throws SoakViolation at the first promise that was not kept. */
  async randomFaults(of: {
    minutes: number;
    everyMs: number;
    only: readonly string[];
  }): Promise<void> {
    const endMs = this.#begunMs + of.minutes * 60_000;
    await this.#measure("begin");
    while (performance.now() < endMs) {
      const nextMs = performance.now() + of.everyMs;
      const { primary, members } = await this.#untilHealed("before a fault");
      const names = members.map(({ name }) => name);
      const drawn = drawFault(this.#around.random, { primary, members: names, only: of.only });
      await this.#suffer(drawn, successorOf({ primary, members }));
      await delay(Math.max(0, Math.min(nextMs, endMs) - performance.now()));
    }
  }

  /** One crash of the primary after the other, each when everybody streams again. */
  async failovers(count: number): Promise<void> {
    await this.#measure("begin");
    for (let done = 1; done <= count; done += 1) {
      const { primary, members } = await this.#untilHealed("before a failover");
      const fault = faultOf("crash", 0);
      const successor = successorOf({ primary, members });
      await this.#suffer(
        { name: "crash", member: primary, fault },
        successor,
        done % SAY_EVERY === 0,
      );
      // The first ones fill caches and logs.
      if (done !== count && (done === 25 || done % 250 === 0)) await this.#measure(`after ${done}`);
    }
  }

  /** Everything once more, on every member. @returns the summary. */
  async finish(): Promise<string> {
    const { members, term } = await this.#untilHealed("at the end");
    await this.#measure("end");
    await this.#load[Symbol.asyncDispose]();
    await this.#cluster.until("every standby has replayed everything", (status) =>
      status.members.every(
        ({ role, replayLagBytes }) => role === "primary" || replayLagBytes === 0,
      ),
    );
    const record = await readRecord(this.#opened);
    for (const { name } of members) {
      const found = await checkRows(this.#opened, {
        load: this.#load,
        record,
        member: name,
        from: 0,
      });
      this.#judge(found, name);
    }
    const { acknowledged } = this.#load.ledger;
    const faults = [...this.#counts].map(([name, count]) => `${count} ${name}`).join(", ");
    const minutes = (performance.now() - this.#begunMs) / 60_000;
    return [
      `${minutes.toFixed(1)} minutes, ${[...this.#counts.values()].reduce((sum, each) => sum + each, 0)} faults: ${faults}`,
      `${acknowledged.length} acknowledged rows, each there once on every member; 0 lost, 0 accepted by two primaries`,
      `term ${this.#terms.first} to ${term}; writes stood still for ${described(this.#gapsMs)}; everybody was back after ${described(this.#healedMs)}`,
    ].join("\n");
  }

  /** Nothing is tidied up. @returns where it is. */
  async keepEvidence(): Promise<string> {
    const path = join(this.#opened.paths.root, "acknowledged.json");
    writeFileSync(path, JSON.stringify(this.#load.ledger.acknowledged));
    await this.#cluster.killAll();
    return `the cluster's processes are killed, its files are in ${this.#opened.paths.root}, what was acknowledged in ${path}`;
  }

  async #suffer(drawn: DrawnFault, successor: string, isTold = true): Promise<void> {
    const { name, member, fault } = drawn;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    const begunMs = performance.now();
    const { term } = await readRecord(this.#opened);
    await this.#inflict(drawn, { successor, term });
    const healed = await this.#untilHealedAndChecked(fault.describe(member));
    const healedMs = performance.now();
    const { writtenMs } = this.#load;
    const last = writtenMs.findLast((atMs) => atMs <= begunMs) ?? begunMs;
    const gap =
      longestGap(
        writtenMs.filter((atMs) => atMs >= last),
        healedMs,
      )?.ms ?? 0;
    this.#gapsMs.push(gap);
    this.#healedMs.push(healedMs - begunMs);
    this.#terms.last = healed.term;
    if (isTold)
      this.#around.say(
        `${this.#clock()} ${name} ${member}: writes ${gap.toFixed(0)} ms, whole after ${(healedMs - begunMs).toFixed(0)} ms, ${healed.primary} leads term ${healed.term}`,
      );
  }

  async #inflict(
    { fault, member }: { fault: Fault; member: string },
    of: { successor: string; term: number },
  ): Promise<void> {
    const cluster = this.#opened;
    const program = ownProgram();
    const signal = AbortSignal.timeout(TAKEOVER_LIMIT_MS * 2);
    await using undoing = new AsyncDisposableStack();
    await fault.inflict({ cluster, member, successor: of.successor, program, signal }, undoing);
    if (fault.lastsMs !== null) await delay(fault.lastsMs);
    // A standby's death is nobody's to take over.
    else if (fault.comesBackAfter === "undoing") await delay(this.#around.random.between(0, 8_000));
  }

  /**
   * A cluster that has not felt the fault yet is healthy still, and its primary is gone when it is
   * asked for its rows: then it is waited for again.
   */
  async #untilHealedAndChecked(what: string): Promise<HealedStatus> {
    const deadline = performance.now() + HEAL_LIMIT_MS;
    for (;;) {
      const healed = await this.#untilHealed(what);
      try {
        await this.#checkNewRows(healed.primary);
        return healed;
      } catch (thrown) {
        if (thrown instanceof SoakViolation || performance.now() > deadline) throw thrown;
      }
      await delay(POLL_MS);
    }
  }

  async #untilHealed(what: string): Promise<HealedStatus> {
    const deadline = performance.now() + HEAL_LIMIT_MS;
    let last = "";
    while (performance.now() < deadline) {
      try {
        const status = await readClusterStatus(this.#opened);
        const { state, primary } = status;
        if (state === "healthy" && primary !== null) return { ...status, primary };
        last = JSON.stringify(status);
      } catch (thrown) {
        last = messageOf(thrown); // The store may be locked for a moment.
      }
      await delay(POLL_MS);
    }
    throw new SoakViolation(
      `not whole within ${HEAL_LIMIT_MS / 1_000} s: ${what}; seen last: ${last}`,
    );
  }

  /** The newest, on the primary; one that goes on meanwhile is asked again the next time. */
  async #checkNewRows(primary: string): Promise<void> {
    const record = await readRecord(this.#opened);
    const from = this.#checked;
    const found = await checkRows(this.#opened, {
      load: this.#load,
      record,
      member: primary,
      from,
    });
    this.#judge(found, primary);
    this.#checked = from + found.acknowledged;
  }

  #judge(found: Awaited<ReturnType<typeof checkRows>>, member: string): void {
    const { missing, repeated, doubled } = found;
    if (missing.length > 0)
      throw new SoakViolation(
        `${member} lacks ${missing.length} acknowledged rows: ${sample(missing)}`,
      );
    if (repeated > 0) throw new SoakViolation(`${member} has ${repeated} rows more than once`);
    if (doubled.length > 0)
      throw new SoakViolation(
        `${doubled.length} rows were accepted by two primaries: ${sample(doubled)}`,
      );
  }

  async #measure(when: string): Promise<void> {
    const is = await footprintOf(this.#opened);
    this.footprints.push({ when, is });
    for (const [figure, bound] of Object.entries(BOUNDS)) {
      const value = is[figure as keyof Footprint];
      if (value > bound)
        throw new SoakViolation(`${when}: ${figure} is ${value}, more than ${bound}`);
    }
  }

  #clock(): string {
    return `${((performance.now() - this.#begunMs) / 1_000).toFixed(0).padStart(5)} s`;
  }
}

function successorOf({
  primary,
  members,
}: Pick<ClusterStatus, "members"> & { primary: string }): string {
  return members.find(({ name, state }) => name !== primary && state === "streaming")?.name ?? "";
}

function described(ms: readonly number[]): string {
  const spread = spreadOf(ms);
  if (spread === null) return "nothing";
  return `${spread.median.toFixed(0)} ms (median; ${spread.min.toFixed(0)} to ${spread.max.toFixed(0)})`;
}

function sample(rows: readonly object[]): string {
  return rows
    .slice(0, 5)
    .map((row) => JSON.stringify(row))
    .join(", ");
}
