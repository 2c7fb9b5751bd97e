// The model of what a primary's commits wait for and of whom it lets in, process by process, as
// measured of the real ones: the postmaster, the checkpointer and each walsender read a new setting
// at moments of their own, and each does its part by what it has read.
import { isSameQuorum, type Quorum } from "../../../src/core/protocol/quorum.ts";
import { OPEN, type Service } from "../../../src/core/protocol/service.ts";
import type { ModelServer } from "./server.ts";

/** One connection of a standby, as the primary sees it. */
export interface WalSender {
  readonly pid: number;
  readonly standby: string;
  /** By what it releases commits. */
  list: Quorum;
  /** What the standby has confirmed to have on disk; null before it has said anything. */
  flushLsn: number | null;
  heardMs: number;
  isOpen: boolean;
  /** Called when the primary ends it. */
  readonly onEnd: () => void;
}

interface WaitingCommit {
  readonly id: number;
  readonly lsn: number;
  readonly sinceMs: number;
}

/** So many clients there are: when all of them wait, nothing more is written. */
const CLIENTS = 6;

export class CommitGate {
  readonly #server: ModelServer;
  #senders: WalSender[] = [];
  #waiting: WaitingCommit[] = [];
  #lastPid = 0;
  #isReadDue = false;
  /** As the postmaster has read it: what new connections see, and who may make them. */
  #read: Service = OPEN;
  /** Set by the checkpointer: without it no commit waits (lesson 17). */
  binds = false;
  /** An application is connected; it stays when others are kept out. */
  hasSession = false;

  constructor(server: ModelServer) {
    this.#server = server;
  }

  get service(): Service {
    return this.#read;
  }

  get waitingSinceMs(): number | null {
    return this.#waiting[0]?.sinceMs ?? null;
  }

  /** With the server, and after a crash of all of its backends. */
  begin(): void {
    const { random } = this.#server.machine;
    this.#read = this.#server.disk.service;
    if (this.#read.waitsFor.required > 0)
      this.#server.later(random.between(5, 40), () => this.checkpointerReads());
  }

  /** No process is left: nobody that waited is ever answered. */
  end(): void {
    this.#waiting = [];
    this.#isReadDue = false;
    this.binds = false;
    this.hasSession = false;
    for (const sender of this.#senders) sender.isOpen = false;
    this.#senders = [];
  }

  /** The postmaster was told to read its settings. */
  reload(): void {
    this.#isReadDue = true;
    this.#server.later(this.#server.machine.random.between(0, 20), () => this.postmasterReads());
  }

  /** At the latest before it acts on what it is asked for next. */
  postmasterReads(): void {
    if (!this.#isReadDue) return;
    this.#isReadDue = false;
    const before = this.#read;
    this.#read = this.#server.disk.service;
    if (isSameQuorum(before.waitsFor, this.#read.waitsFor)) return;
    const { random } = this.#server.machine;
    const checkpointsMs = random.chance(0.1) ? random.between(100, 3_000) : random.between(0, 17);
    this.#server.later(checkpointsMs, () => this.checkpointerReads());
    for (const sender of this.#senders) {
      const busyMs = random.chance(0.15) ? random.between(50, 3_000) : random.between(0, 25);
      this.#server.later(busyMs, () => this.#senderReads(sender));
    }
  }

  /** Also before it makes a checkpoint. */
  checkpointerReads(): void {
    this.binds = this.#read.waitsFor.required > 0;
    if (!this.binds) this.#answer(this.#waiting.splice(0));
  }

  /** Whether a client can write now: one that is connected, or one that connects. */
  admits(): boolean {
    if (this.#read.isOpen && this.#server.takesConnections) this.hasSession = true;
    return this.hasSession && this.#waiting.length < CLIENTS;
  }

  cutApplications(): void {
    this.hasSession = false;
    // They come again at once.
    this.#server.later(this.#server.machine.random.between(0, 10), () => this.admits());
  }

  /** It is flushed here; acknowledged when as many have it as the setting says. */
  committed(id: number, lsn: number): void {
    const { scheduler, watcher } = this.#server.machine;
    if (this.binds) this.#waiting.push({ id, lsn, sinceMs: scheduler.nowMs });
    else watcher.acknowledged(id, this.#server);
  }

  /** A standby connects: its walsender begins with what the postmaster has read. */
  open(standby: string, onEnd: () => void): WalSender {
    this.#lastPid += 1;
    const { nowMs } = this.#server.machine.scheduler;
    const sender: WalSender = {
      pid: this.#lastPid,
      standby,
      list: this.#read.waitsFor,
      flushLsn: null,
      heardMs: nowMs,
      isOpen: true,
      onEnd,
    };
    this.#senders.push(sender);
    return sender;
  }

  hasSenderTo(standby: string): boolean {
    return this.#senders.some((sender) => sender.standby === standby);
  }

  close(sender: WalSender): void {
    sender.isOpen = false;
    this.#senders = this.#senders.filter((each) => each !== sender);
  }

  /** As pg_stat_replication shows them. */
  get senders(): readonly WalSender[] {
    return this.#senders;
  }

  /** As pg_terminate_backend. */
  terminate(sender: WalSender): void {
    this.close(sender);
    sender.onEnd();
  }

  confirmed(sender: WalSender, lsn: number): void {
    if (!sender.isOpen) return;
    sender.heardMs = this.#server.machine.scheduler.nowMs;
    // What was sent first comes first.
    sender.flushLsn = Math.max(sender.flushLsn ?? 0, lsn);
    this.#release(sender);
  }

  #senderReads(sender: WalSender): void {
    sender.list = this.#read.waitsFor;
    this.#release(sender);
  }

  /** By its own list, from what all that count themselves in have confirmed. */
  #release(by: WalSender): void {
    if (this.#waiting.length === 0 || !isCounted(by)) return;
    const flushed = this.#senders
      .filter(isCounted)
      .map(({ flushLsn }) => flushLsn ?? 0)
      .sort((one, other) => other - one);
    const upTo = flushed[by.list.required - 1] ?? 0;
    const released = this.#waiting.filter(({ lsn }) => lsn <= upTo);
    if (released.length === 0) return;
    this.#waiting = this.#waiting.filter(({ lsn }) => lsn > upTo);
    this.#answer(released);
  }

  #answer(commits: readonly WaitingCommit[]): void {
    for (const { id } of commits) this.#server.machine.watcher.acknowledged(id, this.#server);
  }
}

export function isCounted({ list, standby, flushLsn }: WalSender): boolean {
  return flushLsn !== null && list.required > 0 && list.members.includes(standby);
}
