// The model of one PostgreSQL server: how it starts, recovers, is promoted, stops, crashes and
// hangs, as measured of the real ones (docs of PostgreSQL, 27.2 and 30.1). It knows nothing of
// Understudy: its data directory and its processes are all it has.
import { CommitGate } from "./commit-gate.ts";
import type { Disk } from "./disk.ts";
import { Door } from "./door.ts";
import type { Machine } from "./machine.ts";
import { Receiver } from "./receiver.ts";
import type { RewindTurn } from "./rewind-turn.ts";
import { hasSilentStandby, shipToAll, standbysOf } from "./standbys.ts";
import { endOf, flushUpTo, loseUnflushed, type DataDirectory, type History } from "./wal.ts";

/** After which the sender gives a connected standby up (wal_sender_timeout). */
const SENDER_LIMIT_MS = 10_000;

export class ModelServer {
  readonly name: string;
  readonly disk: Disk;
  readonly machine: Machine;
  readonly receiver: Receiver;
  readonly gate: CommitGate;
  readonly door: Door;
  state: "stopped" | "starting" | "accepting" | "stopping" = "stopped";
  inRecovery = true;
  /** Started without readers. */
  closed = false;
  /** A backend that outlived its postmaster; it may still commit and acknowledge (lesson 12). */
  orphan = false;
  /** Whether the postmaster that lives was asked to become the primary, as is noted before. */
  promotionAsked = false;
  /** For the checkers: the term under which its promotion was asked for. */
  promotedForTerm = 0;
  /** What recovery heads for; chosen at the start, and again when another leads on from it. */
  target: History = { timeline: 1, ancestors: [] };
  /** Whose turn it is at being rewound, as this server's sessions have it. */
  rewindTurn: RewindTurn | null = null;
  /** The agent's sign that the server has ended. */
  onExit: () => void = () => {};
  #promoting = false;
  /** What was asked of a postmaster that stands still: it hears all in order when it goes on. */
  #unheard: (() => void)[] = [];
  /** What is due in processes that are all stopped. */
  #frozen: (() => void)[] | null = null;
  /** Counts its phases: what was due in one of them is not done in the next. */
  #phase = 0;
  /** Counts its lives: connections end with them. */
  #life = 0;

  constructor(options: { name: string; disk: Disk; machine: Machine }) {
    this.name = options.name;
    this.disk = options.disk;
    this.machine = options.machine;
    this.receiver = new Receiver(this);
    this.gate = new CommitGate(this);
    this.door = new Door(this);
  }

  get isWritable(): boolean {
    return this.state === "accepting" && !this.inRecovery;
  }

  get hasProcesses(): boolean {
    return this.state !== "stopped" || this.orphan;
  }

  /** Its postmaster was stopped by a signal; its other processes go on. */
  isHeld = false;

  /** Frozen in another way than by a signal. */
  isInFreezer = false;

  get isFrozen(): boolean {
    return this.#frozen !== null;
  }

  /** To whom a connection to a database is made now. */
  get takesConnections(): boolean {
    return this.door.takesLogins;
  }

  get streamsFrom(): ModelServer | null {
    return this.receiver.upstream;
  }

  get life(): number {
    return this.#life;
  }

  /** Begins to start, as the data directory says: as a standby, or writable. */
  start(options: { withoutReaders?: boolean } = {}): void {
    const { data } = this.disk;
    if (this.state !== "stopped" || data === null) return;
    this.machine.watcher.started(this);
    this.state = "starting";
    this.promotionAsked = false;
    this.closed = options.withoutReaders === true;
    this.#promoting = false;
    this.gate.begin();
    this.#recover(data, "started");
  }

  /** A fast shutdown: no write is accepted from now on. */
  requestStop(): void {
    this.#hear(() => this.#stop());
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
    const { random } = this.machine;
    // Where nobody was let in yet there is none.
    const hadBackend = this.isWritable && this.gate.hasSession;
    if (this.state === "stopped" || data === null) return;
    if (!hadBackend) return this.crash();
    // Who waits for standbys is answered by nobody any more.
    const waits = this.gate.binds;
    this.#exit();
    this.orphan = true;
    this.later(random.between(200, 5_000), () => {
      if (!this.orphan || this.disk.data !== data) return;
      this.orphan = false;
      // It writes on where it was: what another server wrote there meanwhile is not its business.
      const id = this.#append(data);
      data.flushed = data.wal.length;
      this.machine.watcher.flushed(id, this);
      if (!waits) this.machine.watcher.acknowledged(id, this);
    });
  }

  /**
   * A backend crashed: the postmaster starts all anew, in the mode that the directory says; or
   * ends, where commits wait for standbys (restart_after_crash).
   */
  crashBackend(): void {
    this.#hear(() => this.#startAnew());
  }

  #startAnew(): void {
    const { data } = this.disk;
    if (this.state !== "accepting" || data === null) return;
    if (this.gate.service.waitsFor.required > 0) return this.crash();
    loseUnflushed(data);
    this.#recoverAgain(data, this.inRecovery ? "started" : "recovered");
  }

  #recoverAgain(data: DataDirectory, how: "recovered" | "started"): void {
    this.#endLife("starting");
    this.gate.begin();
    this.#recover(data, how);
  }

  /** SIGSTOP to the postmaster. */
  hold(): void {
    if (this.state !== "stopped") this.isHeld = true;
  }

  letGo(): void {
    this.isHeld = false;
    this.#hearAll();
    this.machine.scheduler.stir();
  }

  /** All of its processes stop for a while, as when a container is paused. */
  freeze(how: "by a signal" | "in a freezer"): void {
    if (!this.hasProcesses) return;
    this.#frozen ??= [];
    this.isInFreezer = how === "in a freezer";
  }

  thaw(): void {
    const due = this.#frozen ?? [];
    this.#frozen = null;
    this.isInFreezer = false;
    const { scheduler, random } = this.machine;
    for (const act of due) scheduler.at(random.between(0, 3), act);
    this.#hearAll();
    this.wakeStandbys();
  }

  /** Lost when it comes too early; a second request does no harm. */
  requestPromotion(term: number): void {
    this.machine.watcher.promotionRequested(this, term);
    this.promotionAsked = this.state !== "stopped";
    this.#hear(() => {
      this.gate.postmasterReads();
      this.#promote(term);
    });
  }

  /** One commit of an application; acknowledged when it is flushed where it must be. */
  commit(): void {
    const { data } = this.disk;
    const { random } = this.machine;
    if (!this.isWritable || this.isFrozen || data === null || !this.gate.admits()) return;
    this.machine.watcher.served(this);
    // Its own segment may have room left, and then no more: a panic, after which it recovers.
    if (this.disk.isFull && random.chance(0.3)) return this.#startAnew();
    const id = this.#append(data);
    const { lsn } = endOf(data);
    this.later(random.between(1, 6), () => {
      flushUpTo(data, id);
      this.machine.watcher.flushed(id, this);
      this.gate.committed(id, lsn);
      this.wakeStandbys();
    });
  }

  /** Reads its settings again; a walreceiver whose upstream is another now ends. */
  reload(): void {
    this.#hear(() => {
      if (this.state !== "stopped") this.gate.reload();
      this.receiver.reload();
    });
  }

  /** Something has changed at its upstream, or in the network. */
  tryAgain(): void {
    this.receiver.tryAgain();
  }

  /**
   * Replays what a dead server's directory has beyond its own, through restore_command.
   * @returns whether it could.
   */
  restore(dead: DataDirectory): boolean {
    return this.receiver.restore(dead);
  }

  wakeStandbys(): void {
    for (const standby of this.machine.servers.values())
      if (standby.disk.data?.upstream === this.name) standby.tryAgain();
  }

  /** Not in a later life of the server, and not while its processes are stopped. */
  later(ms: number, act: () => void): void {
    const phase = this.#phase;
    const due = (): void => {
      if (phase !== this.#phase) return;
      if (this.#frozen === null) act();
      else this.#frozen.push(due);
    };
    this.machine.scheduler.quietly(ms, due);
  }

  #hear(act: () => void): void {
    const life = this.#life;
    if (!this.isFrozen && !this.isHeld) return act();
    this.#unheard.push(() => {
      if (life === this.#life) act();
    });
  }

  #hearAll(): void {
    if (this.isFrozen || this.isHeld) return;
    for (const act of this.#unheard.splice(0)) act();
  }

  #stop(): void {
    const { data } = this.disk;
    if (this.state === "stopped" || this.state === "stopping" || data === null) return;
    this.machine.watcher.stopRequested(this);
    const { random } = this.machine;
    const wasWritable = this.isWritable;
    const canTell = this.state === "accepting";
    const waitsForMs = wasWritable && hasSilentStandby(this) ? SENDER_LIMIT_MS : 0;
    this.#endLife("stopping");
    const takesMs = random.chance(0.05) ? random.between(1_000, 4_000) : random.between(20, 300);
    if (wasWritable && this.disk.isFull && random.chance(0.5)) return this.crash();
    if (wasWritable) {
      this.#append(data);
      data.flushed = data.wal.length;
    }
    this.later(waitsForMs + takesMs, () => {
      if (wasWritable) shipToAll(this, data);
      if (canTell) data.control = wasWritable ? "shut down" : "shut down in recovery";
      this.#exit();
    });
  }

  #recover(data: DataDirectory, how: "recovered" | "started"): void {
    const { random, scheduler } = this.machine;
    this.inRecovery = true;
    this.target = data.newest;
    const takesMs = random.chance(0.05) ? random.between(2_000, 8_000) : random.between(50, 800);
    const writable = !data.standbyMode;
    if (data.standbyMode) data.control = "in archive recovery";
    this.later(takesMs, () => {
      if (this.disk.isFull && random.chance(0.5)) return this.#failToRecover(data, how);
      this.door.recovered();
      data.freshCopy = null;
      this.state = "accepting";
      this.gate.admits();
      scheduler.stir();
      if (writable) this.#becomeWritable(data, how);
      else if (this.#promoting) this.#promoteSoon();
      else this.receiver.tryAgain();
    });
  }

  /** Without room for the checkpoint at its end a recovery in place begins again (15 and newer). */
  #failToRecover(data: DataDirectory, how: "recovered" | "started"): void {
    if (how === "started" || this.machine.later.chance(0.3)) return this.crash();
    this.#recoverAgain(data, how);
  }

  #promote(term: number): void {
    if (this.state === "stopped" || this.state === "stopping" || !this.inRecovery) return;
    if (this.#promoting) return;
    const { random } = this.machine;
    if (this.state === "starting" && random.chance(0.5)) return;
    this.#promoting = true;
    this.promotedForTerm = term;
    if (this.state === "accepting") this.#promoteSoon();
  }

  /**
   * The history of the new timeline is on disk before there is any WAL on it: who is killed in
   * between heads for a timeline that nobody ever wrote. It names as parent what recovery headed
   * for, reached or not (measured on 15).
   */
  #promoteSoon(): void {
    const { data } = this.disk;
    const { random } = this.machine;
    if (data === null) return;
    const takesMs = random.between(20, 400);
    this.later(random.between(10, takesMs), () => {
      this.receiver.end();
      const { target } = this;
      const parent = { timeline: target.timeline, switchPoint: endOf(data).lsn };
      const timeline = Math.max(target.timeline, data.newest.timeline) + 1;
      data.newest = { timeline, ancestors: [...target.ancestors, parent] };
      this.later(random.between(0, 10), () => this.#endRecovery(data, data.newest));
    });
  }

  #endRecovery(data: DataDirectory, begun: History): void {
    if (this.disk.isFull && this.machine.random.chance(0.5)) return this.crash();
    data.ancestors = begun.ancestors;
    data.standbyMode = false;
    this.target = begun;
    this.#append(data, begun.timeline);
    data.flushed = data.wal.length;
    this.#becomeWritable(data, "promoted");
  }

  #becomeWritable(data: DataDirectory, how: "promoted" | "recovered" | "started"): void {
    this.inRecovery = false;
    this.closed = false;
    this.#promoting = false;
    data.control = "in production";
    this.machine.watcher.becameWritable(this, how);
    this.wakeStandbys();
  }

  #append(data: DataDirectory, timeline = endOf(data).timeline): number {
    const id = this.machine.nextRecordId();
    const lsn = endOf(data).lsn + 8 * this.machine.random.between(4, 40);
    data.wal.push({ lsn, timeline, id });
    return id;
  }

  #exit(): void {
    this.#endLife("stopped");
    this.isHeld = false;
    this.#unheard = [];
    this.#frozen = null;
    this.isInFreezer = false;
    this.machine.scheduler.stir();
    this.onExit();
  }

  #endLife(next: "stopped" | "stopping" | "starting"): void {
    const standbys = next === "stopping" ? [] : standbysOf(this);
    this.#phase += 1;
    if (next !== "stopping") this.#life += 1;
    this.#promoting = false;
    this.gate.end();
    this.state = next;
    this.closed = next === "starting" && this.closed;
    this.receiver.end();
    for (const standby of standbys) standby.receiver.upstreamEnded();
  }
}
