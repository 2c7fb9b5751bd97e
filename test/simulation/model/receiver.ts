// The model of a standby's walreceiver, and of the replay behind it: whom it may stream from, what
// it receives and when, and what it does when nothing comes any more.
import type { WalSender } from "./commit-gate.ts";
import type { ModelServer } from "./server.ts";
import {
  endOf,
  flushedEndOf,
  isPrefix,
  leadsOn,
  mayStream,
  ownHistory,
  type DataDirectory,
} from "./wal.ts";

const RETRY_MS = 250;
/** Nothing has come for so long: the connection is given up (wal_receiver_timeout). */
const SILENCE_LIMIT_MS = 10_000;
/** After which the sender gives up one that is not heard of (wal_sender_timeout). */
const SENDER_LIMIT_MS = 10_000;
/** What was sent and did not arrive is sent again. */
const SEND_AGAIN_MS = 1_000;

export class Receiver {
  readonly #server: ModelServer;
  #upstream: ModelServer | null = null;
  /** The life of the upstream that it is connected to. */
  #upstreamLife = 0;
  /** The process at its other end. */
  #sender: WalSender | null = null;
  #receiving = false;
  #retrying = false;
  #silentSinceMs: number | null = null;

  constructor(server: ModelServer) {
    this.#server = server;
  }

  get upstream(): ModelServer | null {
    return this.#upstream;
  }

  isConnectedTo(upstream: ModelServer): boolean {
    return this.#upstream === upstream && this.#upstreamLife === upstream.life;
  }

  /** Whether what the upstream sends comes here. */
  get flows(): boolean {
    const upstream = this.#upstream;
    if (upstream === null || this.#server.isFrozen || upstream.isFrozen) return false;
    if (upstream.life !== this.#upstreamLife || upstream.state === "stopped") return false;
    if (this.#sender?.isOpen === false && upstream.state !== "stopping") return false;
    const { network } = this.#server.machine;
    return network.isOpen(upstream.name, this.#server.name);
  }

  end(): void {
    this.#leaveSender();
    this.#upstream = null;
    this.#receiving = false;
    this.#silentSinceMs = null;
  }

  /** What it is to stream from may be another now. */
  reload(): void {
    if (this.#upstream !== null && this.#upstream.name !== this.#server.disk.data?.upstream)
      this.end();
    this.#connect();
  }

  tryAgain(): void {
    if (this.#upstream !== null) this.#await();
    else this.#connect();
  }

  /** The other end of the connection is gone: that is seen where the way is open. */
  upstreamEnded(): void {
    const upstream = this.#upstream;
    const { network } = this.#server.machine;
    if (upstream === null || !network.isOpen(upstream.name, this.#server.name)) return;
    this.#lose();
  }

  /** @returns whether replay goes on with it. */
  restore(dead: DataDirectory): boolean {
    this.end();
    const { data } = this.#server.disk;
    if (data === null) return false;
    this.#learnHistory(data, dead);
    if (!mayStream(data, { target: this.#server.target, upstream: dead })) return false;
    this.#take(data, dead);
    return true;
  }

  receive(): void {
    const { data } = this.#server.disk;
    const source = this.#upstream?.disk.data ?? null;
    if (data !== null && source !== null) this.#take(data, source);
  }

  #connect(): void {
    const server = this.#server;
    const { data } = server.disk;
    if (server.state !== "accepting" || !server.inRecovery) return;
    if (this.#upstream !== null || data === null || data.upstream === null) return;
    // It looks again when it goes on: no connection was tried meanwhile.
    if (server.isFrozen) return this.#retry();
    const { network, servers, watcher } = server.machine;
    const upstream = servers.get(data.upstream);
    const source = upstream?.disk.data ?? null;
    if (upstream === undefined || source === null || !upstream.door.takesStreams)
      return this.#retry();
    if (!network.connects(server.name, upstream.name) || server.disk.isFull) return this.#retry();
    if (!source.slots.has(server.name)) return this.#retry();
    // Its slot may still be held by the walsender of a connection that broke here alone.
    if (upstream.gate.hasSenderTo(server.name)) return this.#retry();
    this.#learnHistory(data, source);
    if (!mayStream(data, { target: server.target, upstream: source })) return this.#retry();
    if (!isPrefix(data, source)) watcher.streamsOnOther(server, upstream);
    this.#upstream = upstream;
    this.#upstreamLife = upstream.life;
    const sender = upstream.gate.open(server.name, () => {
      if (this.#sender === sender) this.upstreamEnded();
    });
    this.#sender = sender;
    this.#confirm();
    this.#await();
  }

  /** The other end sees that the connection has ended, or that nothing comes any more. */
  #leaveSender(): void {
    const [sender, upstream] = [this.#sender, this.#upstream];
    this.#sender = null;
    if (sender === null || upstream === null || !sender.isOpen) return;
    const { machine, name } = this.#server;
    if (machine.network.isOpen(name, upstream.name)) upstream.gate.close(sender);
    else upstream.later(SENDER_LIMIT_MS, () => upstream.gate.close(sender));
  }

  /** Tells what is on disk here. */
  #confirm(): void {
    const { machine, name, disk } = this.#server;
    const [sender, upstream] = [this.#sender, this.#upstream];
    if (!machine.standbysConfirm || sender === null || upstream === null) return;
    const lsn = disk.data === null ? 0 : flushedEndOf(disk.data);
    const arrive = (): void => {
      if (!sender.isOpen) return;
      if (machine.network.isOpen(name, upstream.name)) upstream.gate.confirmed(sender, lsn);
      else upstream.later(SEND_AGAIN_MS, arrive);
    };
    const lateMs = machine.network.delayOf(name, upstream.name);
    upstream.later(machine.random.between(0, 3) + lateMs, arrive);
  }

  /** The history files that it has not are fetched; then it may head for a newer timeline. */
  #learnHistory(data: DataDirectory, source: DataDirectory): void {
    const theirs = ownHistory(source);
    if (theirs.timeline > data.newest.timeline) data.newest = theirs;
    const from = this.#server.target;
    const goesOn = leadsOn(from, { history: data.newest, lsn: endOf(data).lsn });
    if (data.newest.timeline > from.timeline && goesOn) this.#server.target = data.newest;
  }

  #lose(): void {
    this.end();
    this.#retry();
  }

  #retry(): void {
    if (this.#retrying) return;
    this.#retrying = true;
    // Of the server's next life too: whoever has just started asks at once.
    this.#server.machine.scheduler.quietly(RETRY_MS, () => {
      this.#retrying = false;
      this.#connect();
    });
  }

  /** Receives, flushes and replays what the upstream has flushed, some time later. */
  #await(): void {
    const server = this.#server;
    const { data } = server.disk;
    const upstream = this.#upstream;
    if (this.#receiving || upstream === null || data === null) return;
    if (data.wal.length >= (upstream.disk.data?.flushed ?? 0)) return;
    this.#receiving = true;
    const { random, network } = server.machine;
    const usualMs = random.chance(0.02) ? random.between(200, 2_000) : random.between(1, 30);
    const lateMs = network.delayOf(upstream.name, server.name);
    server.later(usualMs + lateMs, () => {
      this.#receiving = false;
      if (this.#upstream !== upstream) return;
      if (!this.flows) return this.#endureSilence();
      this.#silentSinceMs = null;
      if (server.disk.isFull) return this.#lose();
      this.receive();
      this.#await();
    });
  }

  #endureSilence(): void {
    const server = this.#server;
    const { nowMs } = server.machine.scheduler;
    this.#silentSinceMs ??= nowMs;
    if (nowMs - this.#silentSinceMs > SILENCE_LIMIT_MS) return this.#lose();
    const upstream = this.#upstream;
    const isReset =
      upstream !== null &&
      upstream.life !== this.#upstreamLife &&
      server.machine.network.isOpen(upstream.name, server.name);
    if (isReset) return this.#lose();
    server.later(RETRY_MS, () => {
      if (this.#upstream === upstream) this.#await();
    });
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
    if (timeline > data.newest.timeline) data.newest = ownHistory(data);
    if (timeline > this.#server.target.timeline) this.#server.target = data.newest;
    this.#confirm();
    this.#server.wakeStandbys();
  }
}
