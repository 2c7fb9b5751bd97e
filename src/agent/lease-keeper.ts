// What this agent knows of the record, and its changes to it. Renewals run on a timer of their own,
// so that no long step delays them.
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import { signsOf } from "../core/leader-signs.ts";
import { holdsLease, renewLease } from "../core/record-changes.ts";
import { changeRecord, type Store, type Versioned } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import { isAmong, sameButForRenewal } from "./record-news.ts";

export interface LeasePosition {
  readonly lsn: string | null;
  readonly timeline: number | null;
}

export interface LeaseKeeperOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly member: string;
  /**
   * The newest term that this member has known: an older record is a copy that somebody put back.
   */
  readonly oldestTerm: () => number;
  /** The primary's present position, written with each renewal. */
  readonly position: () => LeasePosition;
  /** Called after the record was found changed. */
  readonly onChange: () => void;
  /**
   * Called before each change is sent; what it returns is called once the store has confirmed that
   * the lease was taken or renewed by it. So whoever counts its time can count from before.
   */
  readonly sending?: () => (held: { term: number; ttlMs: number }) => void;
  /**
   * Whether every other member of this record confirms its leader. Asked while renewals fail or
   * take long: as long as all do, nobody takes the lease, and its time counts as if it had been
   * renewed.
   */
  readonly isConfirmedByAll?: (record: ClusterRecord) => Promise<boolean>;
  /**
   * Where a read costs as much as a write: a change is tried on what is known, and is one request
   * as long as nobody else has changed the record.
   */
  readonly changesUnread?: boolean;
  /**
   * Where the store's record is gone and all members confirm this leader, it writes the one that it
   * knows back; called when it has. Left out: that is for a person (`up --adopt-record`).
   */
  readonly onPutBack?: (record: ClusterRecord) => void;
  /** Called when the store begins to fail, with why, and with null when it answers again. */
  readonly onStoreTrouble: (why: string | null) => void;
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #known: Versioned | null = null;
  /** Rises with each record that was learned. */
  #learned = 0;
  /** Of changes. */
  #failures = 0;
  #isCertain = false;
  #trouble: string | null = null;
  /** The store answers, and has no record any more. */
  #isGone = false;
  #renewing = false;
  #timer: Disposable | null = null;
  #watch: Disposable | null = null;
  #fifthsOfSilence = 0;
  /** The leader's last sign of life, and when it was seen. */
  #sign: { readonly key: string; readonly seenMs: number } | null = null;
  /** Whom this member has confirmed last (confirmation.ts). */
  #promise: { leader: string; term: number; untilMs: number } | null = null;
  #isUncertain = false;
  #isDisposed = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /**
   * The newest record that was read; it may be older than the store's while that does not answer.
   */
  get record(): ClusterRecord | null {
    return this.#known?.record ?? null;
  }

  get holdsLease(): boolean {
    const { record } = this;
    return (
      record !== null && holdsLease(record, { member: this.#options.member, term: record.term })
    );
  }

  /**
   * How many fifths of the lease have gone by since the record was last seen to change. Counted
   * awake and only while the store answers: neither a suspended machine nor a store that is away
   * says anything of the leader. None while this member has promised to wait for it.
   */
  get fifthsOfSilence(): number {
    return this.#trouble === null && this.#promised() === null ? this.#fifthsOfSilence : 0;
  }

  /**
   * For how long the one that leads, or is named to, has given no sign of life, on this agent's
   * clock and from when its last one was seen. None while the store is away, nor while this member
   * has promised to wait. Who acts on it writes on condition that there is still no newer sign: so
   * a process that stood still, and sees only then what it has missed, changes nothing.
   */
  get silentMs(): number {
    if (this.#sign === null || this.#trouble !== null || this.#promised() !== null) return 0;
    return this.#options.clock.nowMs() - this.#sign.seenMs;
  }

  /** Whether a change was sent of which it is not known whether it was applied. */
  get isUncertain(): boolean {
    return this.#isUncertain;
  }

  /**
   * Whether a change of this agent's own came through since it began, and since one failed last.
   * What failed may be carried out all the same at any moment, but no more once another change has
   * been: only then is what this member alone changes certain to be as it knows it.
   */
  get isCertain(): boolean {
    return this.#isCertain;
  }

  /**
   * This member has confirmed that leader and takes its lease from it by no lapse of time before
   * then.
   */
  promise(to: { leader: string; term: number; ttlMs: number }): void {
    const { leader, term, ttlMs } = to;
    this.#promise = { leader, term, untilMs: this.#options.clock.nowMs() + ttlMs };
    this.#fifthsOfSilence = 0;
    if (this.#sign !== null) this.#sign = { ...this.#sign, seenMs: this.#options.clock.nowMs() };
  }

  /** To whom that was promised, of that term and still in force; null: to nobody. */
  promisedIn(term: number): string | null {
    const promised = this.#promised();
    return promised?.term === term ? promised.leader : null;
  }

  /** Reads the record and goes on watching it. */
  async begin(): Promise<void> {
    await this.refresh();
    this.#watch = this.#options.store.watch((seen) => {
      if (seen === undefined) void this.refresh();
      else this.#notice(seen);
    });
    this.#schedule();
  }

  /** A store that tells of a change tells that it answers. */
  #notice(seen: Versioned): void {
    try {
      this.#learn(seen);
      this.#storeAnswered();
    } catch (thrown) {
      this.#storeFailed(thrown);
    }
  }

  /** Reads the record; a store that does not answer changes nothing but says so. */
  async refresh(): Promise<void> {
    try {
      this.#isGone = (await this.#read()) === null;
      if (this.#isGone)
        throw new UnderstudyError("RECORD_CORRUPT", "the store holds no record of this cluster");
      this.#storeAnswered();
    } catch (thrown) {
      this.#storeFailed(thrown);
    }
  }

  /**
   * The record, where the store says now that the lease of that term is this member's; else null.
   * What was read before may be out of date, and the answer to a change may have been lost: so may
   * what this member itself has promised in it.
   * @throws UnderstudyError STORE_UNAVAILABLE, or what else a read may throw.
   */
  async confirmLease(term: number): Promise<ClusterRecord | null> {
    const read = await this.#read();
    return read !== null && this.holds(term) ? this.record : null;
  }

  /** Whether the lease is this member's in that term, as far as is known here. */
  holds(term: number): boolean {
    return this.holdsLease && this.record?.term === term;
  }

  /**
   * One change by compare-and-set. @returns the new record, or null when `change` did not allow it.
   */
  async change(
    change: (record: ClusterRecord) => ClusterRecord | null,
    options: { durable?: boolean } = {},
  ): Promise<ClusterRecord | null> {
    const confirmed = this.#options.sending?.();
    const known = this.#options.changesUnread === true ? this.#known : null;
    const from = known === null ? options : { ...options, from: known };
    const before = this.record;
    const failures = this.#failures;
    let written: Versioned | null;
    try {
      written = await this.#learnFrom(() => changeRecord(this.#options.store, change, from));
    } catch (thrown) {
      this.#failures += 1;
      this.#isCertain = false;
      this.#isUncertain = true;
      throw thrown;
    }
    if (written !== null && failures === this.#failures) this.#isCertain = true;
    if (written !== null && this.#isRenewed(before, written.record)) confirmed?.(written.record);
    if (written === null) await this.refresh();
    return written?.record ?? null;
  }

  #read(): Promise<Versioned | null> {
    return this.#learnFrom(() => this.#options.store.read());
  }

  /**
   * Answers may overtake each other: of one that was asked for before another was learned it is not
   * known which is the newer, so that the store is asked once more.
   */
  async #learnFrom(ask: () => Promise<Versioned | null>): Promise<Versioned | null> {
    const begun = this.#learned;
    const answer = await ask();
    if (begun === this.#learned || answer?.revision === this.#known?.revision) this.#learn(answer);
    else if (answer !== null) await this.#read();
    return answer;
  }

  /** Renews now; the timer does it otherwise. */
  async renew(): Promise<void> {
    const { record } = this;
    if (!this.holdsLease || record === null || this.#renewing) return;
    const { member, position } = this.#options;
    const holder = { member, term: record.term, position: position() };
    this.#renewing = true;
    try {
      using _asking = this.#askMeanwhile(record);
      const renewed = await this.change((now) => renewLease(now, holder), { durable: false });
      // Where nothing was to be renewed it was read once more, and that has told how it stands.
      if (renewed !== null) this.#storeAnswered();
    } catch (thrown) {
      this.#storeFailed(thrown);
    } finally {
      this.#renewing = false;
    }
    // Also where it answers, but with what is not to be obeyed.
    if (this.#trouble !== null) await this.#renewByMembers(record);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#timer?.[Symbol.dispose]();
    this.#watch?.[Symbol.dispose]();
  }

  /** A store that takes a whole lease to fail must not take the lease along. */
  #askMeanwhile(record: ClusterRecord): Disposable {
    const { clock, isConfirmedByAll } = this.#options;
    let timer: Disposable | null = null;
    let isOver = false;
    const askLater = () => {
      timer = clock.setTimer(
        record.ttlMs / 5,
        () =>
          void this.#renewByMembers(record).finally(() => {
            if (!isOver) askLater();
          }),
      );
    };
    if (isConfirmedByAll !== undefined) askLater();
    return {
      [Symbol.dispose]: () => {
        isOver = true;
        timer?.[Symbol.dispose]();
      },
    };
  }

  async #renewByMembers(record: ClusterRecord): Promise<void> {
    const { isConfirmedByAll, sending } = this.#options;
    if (isConfirmedByAll === undefined) return;
    // Counted from before they are asked: each promises from when it answers.
    const confirmed = sending?.();
    if (!(await isConfirmedByAll(record))) return;
    // What was known may have changed while they were asked.
    const now = this.record;
    if (!this.holdsLease || now?.term !== record.term || !isAmong(now, record)) return;
    confirmed?.(record);
    if (this.#isGone) await this.#putBack(now);
  }

  /**
   * To be called when all members have just confirmed this leader: none of them knows a later term,
   * so nobody has led since, and while there is no record nobody can take the lease. It is written
   * where there is none, or not at all; one that came meanwhile is obeyed.
   */
  async #putBack(record: ClusterRecord): Promise<void> {
    const { store, member, position, sending, onPutBack } = this.#options;
    const holder = { member, term: record.term, position: position() };
    const renewed = renewLease(record, holder);
    if (onPutBack === undefined || renewed === null) return;
    const confirmed = sending?.();
    try {
      const put = await store.write({ record: renewed, expected: null, durable: true });
      if (put === null) return await this.refresh();
      this.#learn(put);
      confirmed?.(put.record);
      this.#storeAnswered();
      onPutBack(put.record);
    } catch {
      // Why there is none to be had has been told, and it is tried again with the next renewal.
    }
  }

  #promised(): { leader: string; term: number } | null {
    const promise = this.#promise;
    return promise !== null && this.#options.clock.nowMs() < promise.untilMs ? promise : null;
  }

  #schedule(): void {
    // A renewal under way at the end must not bring the timer back, and the process with it.
    if (this.#isDisposed) return;
    const { record } = this;
    // A fifth of the lease: four renewals may be lost before it runs out.
    this.#timer = this.#options.clock.setTimer(
      (record?.ttlMs ?? 2_000) / 5,
      () => void this.#tick().finally(() => this.#schedule()),
    );
  }

  async #tick(): Promise<void> {
    await this.renew();
    this.#fifthsOfSilence += 1;
    // Silence is only believed of a store that has just been asked.
    if (this.#fifthsOfSilence > 2 && !this.holdsLease) await this.refresh();
    if (this.#fifthsOfSilence > 2 && !this.holdsLease) this.#options.onChange();
  }

  #learn(read: Versioned | null): void {
    if (read === null) return;
    this.#isGone = false;
    const { term } = read.record;
    // Terms rise; whoever acted on an older one could lead beside the real leader.
    if (term < Math.max(this.#options.oldestTerm(), this.#known?.record.term ?? 0))
      throw new UnderstudyError(
        "RECORD_CORRUPT",
        `the cluster's record is of term ${term}, and this member has known term ${this.#options.oldestTerm()}: it is an older copy, and is not obeyed`,
      );
    this.#isUncertain = false;
    if (read.revision === this.#known?.revision) return;
    const before = this.#known?.record;
    this.#known = read;
    this.#learned += 1;
    this.#fifthsOfSilence = 0;
    this.#noteSign(read.record);
    // A renewal alone is no news for anybody but a candidate.
    if (before === undefined || !sameButForRenewal(before, read.record)) this.#options.onChange();
  }

  #noteSign(record: ClusterRecord): void {
    const { term, heir } = record;
    const { renewals, session } = signsOf(record);
    const key = `${term} ${record.leader?.member ?? "-"} ${heir ?? "-"} ${renewals ?? "-"} ${session ?? "-"}`;
    if (this.#sign?.key !== key) this.#sign = { key, seenMs: this.#options.clock.nowMs() };
  }

  /** Other changes of the holder leave its time as it is: nobody else counts from them. */
  #isRenewed(before: ClusterRecord | null, now: ClusterRecord): boolean {
    if (before === null || now.leader?.member !== this.#options.member) return false;
    return before.term !== now.term || before.leader?.renewals !== now.leader.renewals;
  }

  #storeAnswered(): void {
    if (this.#trouble === null) return;
    this.#trouble = null;
    this.#options.onStoreTrouble(null);
  }

  #storeFailed(thrown: unknown): void {
    const why = thrown instanceof UnderstudyError ? thrown.message : messageOf(thrown);
    if (this.#trouble === why) return;
    this.#trouble = why;
    this.#options.onStoreTrouble(why);
  }
}
