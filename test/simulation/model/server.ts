// The model of one PostgreSQL server: how it starts, recovers, streams, is promoted, stops and
// crashes, as measured of the real ones (docs of PostgreSQL, 27.2 and 30.1). It knows nothing of
// Understudy: its data directory and its processes are all it has.
import type { Random } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";
import type { Disk } from "./disk.ts";
import {
  endOf,
  flushedEndOf,
  isPrefix,
  loseUnflushed,
  mayStream,
  type DataDirectory,
} from "./wal.ts";

/** What servers share: time, chance, each other, and who watches that nothing forbidden happens. */
export interface Machine {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly servers: ReadonlyMap<string, ModelServer>;
  isCut(one: string, other: string): boolean;
  nextRecordId(): number;
  readonly watcher: Watcher;
}

/** The checkers' eyes on the servers. */
export interface Watcher {
  started(server: ModelServer): void;
  becameWritable(server: ModelServer): void;
  acknowledged(id: number, server: ModelServer): void;
  streamsOnOther(server: ModelServer, upstream: ModelServer): void;
}

const RETRY_STREAM_MS = 250;

export class ModelServer {
  readonly name: string;
  readonly disk: Disk;
  readonly #machine: Machine;
  state: "stopped" | "starting" | "accepting" | "stopping" = "stopped";
  inRecovery = true;
  /** Started without readers. */
  closed = false;
  /** A backend that outlived its postmaster; it may still commit and acknowledge (lesson 12). */
  orphan = false;
  /** For the checkers: the term under which its promotion was asked for. */
  promotedForTerm = 0;
  /** The agent's sign that the server has ended. */
  onExit: () => void = () => {};
  streamsFrom: ModelServer | null = null;
  #promoting = false;
  #pumping = false;
  #retrying = false;
  /** Events of an earlier run of the server must not reach a later one. */
  #run = 0;

  constructor(options: { name: string; disk: Disk; machine: Machine }) {
    this.name = options.name;
    this.disk = options.disk;
    this.#machine = options.machine;
  }

  get isWritable(): boolean {
    return this.state === "accepting" && !this.inRecovery;
  }

  get hasProcesses(): boolean {
    return this.state !== "stopped" || this.orphan;
  }

  /** Begins to start, as the data directory says: as a standby, or writable. */
  start(options: { withoutReaders?: boolean } = {}): void {
    const { data } = this.disk;
    if (this.state !== "stopped" || data === null) return;
    this.#machine.watcher.started(this);
    this.state = "starting";
    this.closed = options.withoutReaders === true;
    this.#promoting = false;
    this.#recover(data);
  }

  /** A fast shutdown: no write is accepted from now on. */
  requestStop(): void {
    const { data } = this.disk;
    if (this.state === "stopped" || this.state === "stopping" || data === null) return;
    const wasWritable = this.isWritable;
    const canTell = this.state === "accepting";
    this.#endRun("stopping");
    const { random } = this.#machine;
    const takesMs = random.chance(0.05) ? random.between(1_000, 4_000) : random.between(20, 300);
    if (wasWritable) {
      this.#append(data);
      data.flushed = data.wal.length;
    }
    this.#later(takesMs, () => {
      if (wasWritable) this.#shipToAll(data);
      if (canTell) data.control = wasWritable ? "shut down" : "shut down in recovery";
      this.#exit();
    });
  }

  /** All processes at once, as SIGKILL or a power cut does. What is not flushed is lost. */
  crash(): void {
    if (this.disk.data !== null) loseUnflushed(this.disk.data);
    this.orphan = false;
    if (this.state !== "stopped") this.#exit();
  }

  /** The postmaster alone: a backend goes on for a while and may still acknowledge a commit. */
  killPostmaster(): void {
    const { data } = this.disk;
    const { random } = this.#machine;
    const hadBackend = this.isWritable;
    if (this.state === "stopped" || data === null) return;
    if (!hadBackend) return this.crash();
    this.#exit();
    this.orphan = true;
    this.#later(random.between(200, 5_000), () => {
      if (!this.orphan || this.disk.data !== data) return;
      this.orphan = false;
      // It writes on where it was: what another server wrote there meanwhile is not its business.
      const id = this.#append(data);
      data.flushed = data.wal.length;
      this.#machine.watcher.acknowledged(id, this);
    });
  }

  /** A backend crashed: the postmaster starts all anew, in the mode that the directory says. */
  crashBackend(): void {
    const { data } = this.disk;
    if (this.state !== "accepting" || data === null) return;
    loseUnflushed(data);
    this.#endRun("starting");
    this.#recover(data);
  }

  /** Lost when it comes too early; a second request does no harm. */
  requestPromotion(term: number): void {
    if (this.state === "stopped" || this.state === "stopping" || !this.inRecovery) return;
    if (this.#promoting) return;
    const { random } = this.#machine;
    if (this.state === "starting" && random.chance(0.5)) return;
    this.#promoting = true;
    this.promotedForTerm = term;
    if (this.state === "accepting") this.#promoteSoon();
  }

  /** One commit; acknowledged when it is flushed here, and the server still runs. */
  commit(): void {
    const { data } = this.disk;
    if (!this.isWritable || data === null) return;
    const id = this.#append(data);
    this.#later(this.#machine.random.between(1, 6), () => {
      data.flushed = Math.max(data.flushed, Math.min(data.wal.length, indexAfter(data, id)));
      this.#machine.watcher.acknowledged(id, this);
      this.#wakeStandbys();
    });
  }

  /** Reads its settings again; a walreceiver whose upstream is another now ends. */
  reload(): void {
    if (this.streamsFrom !== null && this.streamsFrom.name !== this.disk.data?.upstream)
      this.streamsFrom = null;
    this.#tryStream();
  }

  /** Something has changed at its upstream, or in the network. */
  tryAgain(): void {
    if (this.streamsFrom !== null) this.#pump();
    else this.#tryStream();
  }

  /** Replays what a dead server's directory has beyond its own, through restore_command. */
  restore(dead: DataDirectory): void {
    const { data } = this.disk;
    if (data === null) return;
    this.streamsFrom = null;
    this.#take(data, dead);
  }

  #recover(data: DataDirectory): void {
    const { random } = this.#machine;
    this.inRecovery = true;
    const takesMs = random.chance(0.05) ? random.between(2_000, 8_000) : random.between(50, 800);
    const writable = !data.standbyMode;
    if (data.standbyMode) data.control = "in archive recovery";
    this.#later(takesMs, () => {
      data.freshCopy = null;
      this.state = "accepting";
      this.#machine.scheduler.stir();
      if (writable) this.#becomeWritable(data);
      else if (this.#promoting) this.#promoteSoon();
      else this.#tryStream();
    });
  }

  #promoteSoon(): void {
    const { data } = this.disk;
    if (data === null) return;
    this.#later(this.#machine.random.between(20, 400), () => {
      this.streamsFrom = null;
      const { timeline, lsn } = endOf(data);
      const next = Math.max(timeline, data.knownTimeline) + 1;
      data.ancestors = [...data.ancestors, { timeline, switchPoint: lsn }];
      data.knownTimeline = next;
      data.standbyMode = false;
      this.#append(data, next);
      data.flushed = data.wal.length;
      this.#becomeWritable(data);
    });
  }

  #becomeWritable(data: DataDirectory): void {
    this.inRecovery = false;
    this.closed = false;
    this.#promoting = false;
    data.control = "in production";
    this.#machine.watcher.becameWritable(this);
    this.#wakeStandbys();
  }

  #append(data: DataDirectory, timeline = endOf(data).timeline): number {
    const id = this.#machine.nextRecordId();
    const lsn = endOf(data).lsn + 8 * this.#machine.random.between(4, 40);
    data.wal.push({ lsn, timeline, id });
    return id;
  }

  #tryStream(): void {
    const { data } = this.disk;
    if (this.state !== "accepting" || !this.inRecovery || data === null) return;
    if (this.streamsFrom !== null || data.upstream === null) return;
    const upstream = this.#machine.servers.get(data.upstream);
    const source = upstream?.disk.data ?? null;
    if (upstream === undefined || source === null) return this.#streamLater();
    if (upstream.state !== "accepting" || !this.#reaches(upstream)) return this.#streamLater();
    data.knownTimeline = Math.max(data.knownTimeline, source.knownTimeline);
    if (!mayStream(data, source)) return this.#streamLater();
    if (!isPrefix(data, source)) this.#machine.watcher.streamsOnOther(this, upstream);
    this.streamsFrom = upstream;
    this.#pump();
  }

  #streamLater(): void {
    if (this.#retrying) return;
    this.#retrying = true;
    this.#machine.scheduler.quietly(RETRY_STREAM_MS, () => {
      this.#retrying = false;
      this.#tryStream();
    });
  }

  #reaches(upstream: ModelServer): boolean {
    return upstream.state !== "stopped" && !this.#machine.isCut(this.name, upstream.name);
  }

  /** Receives, flushes and replays what the upstream has flushed, some time later. */
  #pump(): void {
    const { data } = this.disk;
    const upstream = this.streamsFrom;
    if (this.#pumping || upstream === null || data === null) return;
    if (data.wal.length >= (upstream.disk.data?.flushed ?? 0)) return;
    this.#pumping = true;
    const { random } = this.#machine;
    const takesMs = random.chance(0.02) ? random.between(200, 2_000) : random.between(1, 30);
    this.#later(takesMs, () => {
      this.#pumping = false;
      if (this.streamsFrom !== upstream) return;
      if (!this.#reaches(upstream)) {
        this.streamsFrom = null;
        return this.#streamLater();
      }
      this.#receive(upstream);
      this.#pump();
    });
  }

  #receive(upstream: ModelServer): void {
    const { data } = this.disk;
    const source = upstream.disk.data;
    if (data !== null && source !== null) this.#take(data, source);
  }

  #take(data: DataDirectory, source: DataDirectory): void {
    for (let place = data.wal.length; place < source.flushed; place += 1) {
      const record = source.wal[place];
      if (record !== undefined) data.wal.push(record);
    }
    data.flushed = data.wal.length;
    const { timeline } = endOf(data);
    const left = source.ancestors.findIndex((ancestor) => ancestor.timeline === timeline);
    data.ancestors = left < 0 ? source.ancestors : source.ancestors.slice(0, left);
    data.knownTimeline = Math.max(data.knownTimeline, source.knownTimeline);
    this.#wakeStandbys();
  }

  /** A fast shutdown waits until every connected standby has all. */
  #shipToAll(data: DataDirectory): void {
    for (const standby of this.#machine.servers.values()) {
      const isConnected = standby.streamsFrom === this && standby.state === "accepting";
      if (!isConnected || this.#machine.isCut(standby.name, this.name)) continue;
      if (standby.disk.data !== null && flushedEndOf(standby.disk.data) < endOf(data).lsn)
        standby.#receive(this);
    }
  }

  #wakeStandbys(): void {
    for (const standby of this.#machine.servers.values())
      if (standby.disk.data?.upstream === this.name) standby.tryAgain();
  }

  #exit(): void {
    this.#endRun("stopped");
    this.#machine.scheduler.stir();
    this.onExit();
  }

  #endRun(next: "stopped" | "stopping" | "starting"): void {
    this.#run += 1;
    this.#pumping = false;
    this.#promoting = false;
    this.state = next;
    this.closed = next === "starting" && this.closed;
    this.streamsFrom = null;
    for (const standby of this.#machine.servers.values())
      if (standby.streamsFrom === this && next === "stopped") {
        standby.streamsFrom = null;
        standby.#streamLater();
      }
  }

  #later(ms: number, act: () => void): void {
    const run = this.#run;
    this.#machine.scheduler.quietly(ms, () => {
      if (run === this.#run) act();
    });
  }
}

function indexAfter(data: DataDirectory, id: number): number {
  for (let place = data.wal.length - 1; place >= 0; place -= 1)
    if (data.wal[place]?.id === id) return place + 1;
  return 0;
}
