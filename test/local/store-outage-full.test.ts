// The store on a disk that is full, while the members' own disks have room.
import assert from "node:assert/strict";
import { rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { readJournal } from "../../src/agent/journal.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { MountNamespace } from "../support/mount-namespace.ts";
import { fillDisk } from "../support/small-disk.ts";
import { eventsOf } from "./journal-facts.ts";
import { survives, type Outage } from "./store-outage.ts";

it("a store whose disk is full interrupts nothing, is told of, and comes back when there is room", async () => {
  await using space = await MountNamespace.open();
  await using cluster = await TestCluster.up(15, { within: space.enter });
  await using disk = await StoreDisk.mount({ space, cluster });
  await cluster.ok(["up"]);
  const { primary } = await cluster.untilHealthy();
  const leader = primary ?? "";
  await survives(cluster, disk.full, async () => {
    const status = await cluster.until("status says that the store does not answer", (seen) => {
      return memberOf(seen, leader).warnings.some((text) => text.includes("store"));
    });
    const warnings = memberOf(status, leader).warnings.join();
    assert.match(warnings, /the store does not answer: cannot write .*: database or disk is full/);
    const away = (await eventsOf(cluster, leader)).find(({ event }) => event === "store-away");
    assert.match(away?.message ?? "", /leads on: cannot write .*: database or disk is full\.$/);
    await eventually("every member has confirmed the leader", async () => {
      const log = await readJournal(cluster.paths(leader).agentLog);
      return log.some(({ event }) => event === "confirmed-by-all");
    });
  });
  const back = (await eventsOf(cluster, leader)).find(({ event }) => event === "store-back");
  assert.match(back?.message ?? "", /^The store answers again, after \d+\.\d s\.$/);
});

/** Waits for whoever reads or writes. Its exit status tells whether it came to that. */
const EMPTY_LOG = `
  const { DatabaseSync } = require("node:sqlite");
  const database = new DatabaseSync(process.argv[1], { timeout: 20_000 });
  process.exitCode = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get().busy;
  database.close();
`;

/**
 * A small tmpfs in the place of the cluster's directory, with the directory of the members as it
 * was. Of a cluster that is stopped then, and again at the end.
 */
class StoreDisk implements AsyncDisposable {
  readonly #space: MountNamespace;
  readonly #cluster: TestCluster;
  readonly #aside: string;

  private constructor(of: { space: MountNamespace; cluster: TestCluster; aside: string }) {
    this.#space = of.space;
    this.#cluster = of.cluster;
    this.#aside = of.aside;
  }

  static async mount(of: { space: MountNamespace; cluster: TestCluster }): Promise<StoreDisk> {
    const { space, cluster } = of;
    await cluster.ok(["down"]);
    const { dir } = cluster;
    const aside = join(dirname(dir), "aside");
    const { uid, gid } = await stat(dir);
    // Who is root only inside of the namespace is the owner already.
    const owner = process.getuid?.() === 0 ? `,uid=${uid},gid=${gid}` : "";
    await space.asRoot(
      [
        `mkdir "${aside}" && mount --bind "${dir}" "${aside}"`,
        `mount -t tmpfs -o size=8m,mode=0700${owner} tmpfs "${dir}"`,
        `find "${aside}" -mindepth 1 -maxdepth 1 ! -name members -exec cp -a {} "${dir}/" ";"`,
        `mkdir "${dir}/members" && mount --bind "${aside}/members" "${dir}/members"`,
      ].join(" && "),
    );
    return new StoreDisk({ space, cluster, aside });
  }

  readonly full: Outage = async () => {
    // What the store's log has grown to it may write over; cut short it must grow with each write.
    await this.#space.asRoot(
      `"${process.execPath}" -e '${EMPTY_LOG}' "${join(this.#cluster.dir, "record.db")}"`,
    );
    const ballast = this.#space.seen(join(this.#cluster.dir, "ballast"));
    fillDisk(ballast);
    return () => rm(ballast);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    const { dir } = this.#cluster;
    await this.#cluster.run(["down"]);
    await this.#space.asRoot(
      [
        `umount "${dir}/members"`,
        // The newest record: the one that was there before is of another term.
        `cp -a "${dir}"/record.db* "${this.#aside}/" && umount "${dir}"`,
        `umount "${this.#aside}" && rmdir "${this.#aside}"`,
      ].join(" && "),
    );
  }
}
