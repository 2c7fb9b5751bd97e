// What must hold, whatever happens. Each concern has a checker of its own; the first violation ends
// the run.
import { isSameGuarantee } from "../../../src/core/protocol/quorum.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { Kept } from "../model/disk.ts";
import type { Watcher } from "../model/machine.ts";
import type { RewindTurn } from "../model/rewind-turn.ts";
import type { ModelServer } from "../model/server.ts";
import type { StoreWatcher } from "../model/store.ts";
import type { Onlooker, Successor } from "../model/surroundings.ts";
import type { DataDirectory } from "../model/wal.ts";
import type { Invariant, View, Violation } from "./checker.ts";
import { CommitChecker } from "./commits.ts";
import { DataChecker } from "./data.ts";
import { LeaderChecker, type Request } from "./leaders.ts";
import { LoopChecker } from "./loops.ts";
import { PromiseChecker } from "./promises.ts";
import { ScheduleChecker } from "./schedules.ts";
import { ShutChecker } from "./shut.ts";
import { StreamChecker } from "./streams.ts";

type Options = Omit<View, "fail">;

export class Checkers implements Watcher, StoreWatcher, Onlooker {
  readonly #view: View;
  readonly commits: CommitChecker;
  readonly promises: PromiseChecker;
  readonly leaders: LeaderChecker;
  readonly data: DataChecker;
  readonly loops: LoopChecker;
  readonly streams: StreamChecker;
  readonly shut: ShutChecker;
  readonly schedules: ScheduleChecker;
  violation: Violation | null = null;
  copies = 0;
  rewinds = 0;
  starts = 0;
  /** So often a primary was given up that let nobody in. */
  shutOuts = 0;

  constructor(options: Options) {
    const fail = (invariant: Invariant, message: string) => this.fail(invariant, message);
    this.#view = { ...options, fail };
    this.commits = new CommitChecker(this.#view);
    this.promises = new PromiseChecker(this.#view);
    this.leaders = new LeaderChecker(this.#view);
    this.data = new DataChecker(this.#view);
    this.loops = new LoopChecker(this.#view);
    this.streams = new StreamChecker(this.#view);
    this.shut = new ShutChecker(this.#view);
    this.schedules = new ScheduleChecker(this.#view, (member) =>
      this.leaders.asked("switchover", member),
    );
  }

  fail(invariant: Invariant, message: string): void {
    this.violation ??= { invariant, message, atMs: this.#view.nowMs() };
    this.#view.note("checker", `VIOLATION of "${invariant}": ${message}`);
  }

  /** Called often. */
  observe(): void {
    this.leaders.observe();
    this.streams.observe();
    this.schedules.observe();
    this.shut.observe();
  }

  /** A person wants that of this member. */
  asked(request: Request, member: string): void {
    this.leaders.asked(request, member);
  }

  started(server: ModelServer): void {
    this.#view.note(server.name, "PostgreSQL starts");
    this.starts += 1;
    this.leaders.acts("starts its server", server);
    this.data.started(server);
    this.loops.happened(server.name, "started");
    this.#view.moment("start", server.name);
  }

  stopRequested(server: ModelServer): void {
    this.schedules.observe();
    this.leaders.acts("stops its server", server);
    this.leaders.stopRequested(server);
  }

  givenUp(server: ModelServer): void {
    this.shutOuts += 1;
    this.shut.givenUp(server);
  }

  promotionRequested(server: ModelServer, term: number): void {
    this.leaders.acts("is promoted", server);
    this.leaders.promotionRequested(server, term);
    this.#view.moment("promotion", server.name);
  }

  becameWritable(server: ModelServer, how: "promoted" | "recovered" | "started"): void {
    this.leaders.becameWritable(server, how);
    this.commits.leads(server);
    this.promises.leads(server);
    this.#view.moment("primary", server.name);
  }

  flushed(id: number): void {
    this.promises.flushed(id);
  }

  acknowledged(id: number, server: ModelServer): void {
    this.leaders.acknowledged(server);
    this.commits.acknowledged(id);
    this.promises.acknowledges(id, server);
  }

  served(server: ModelServer): void {
    for (const id of this.promises.served(server)) this.commits.shown(id);
  }

  streamsOnOther({ name }: ModelServer, upstream: ModelServer): void {
    this.fail(
      "nobody streams what is not its history",
      `${name} has WAL that ${upstream.name} does not have and streams from it`,
    );
  }

  recordWritten(before: ClusterRecord, after: ClusterRecord, by: string): void {
    this.promises.letGo(this.commits.mayLead(after.leader?.member ?? after.heir));
    this.leaders.recordWritten(before, after, by);
    this.promises.recordWritten(before, after);
    this.schedules.recordWritten(before, after);
    this.#tellMoments(before, after, by);
  }

  termTold(member: string, term: number): void {
    this.leaders.termTold(member, term);
  }

  named(successor: Successor): void {
    this.commits.named(successor);
  }

  destroyed(data: DataDirectory, why: { member: string; announced: boolean; from?: number }): void {
    this.data.destroyed(data, why);
  }

  keptRemoved(member: string, removed: Kept): void {
    this.data.keptRemoved(member, removed);
  }

  scheduleComes(member: string): void {
    this.#view.moment("due", member);
  }

  rewindBegins(turn: RewindTurn): void {
    this.data.rewindBegins(turn);
  }

  remade(member: string, how: "copied" | "rewound"): void {
    this.#view.note(member, `is being ${how}`);
    if (how === "copied") this.copies += 1;
    else this.rewinds += 1;
    this.loops.happened(member, how);
    this.#view.moment("copy", member);
  }

  #tellMoments(before: ClusterRecord, after: ClusterRecord, by: string): void {
    const { leader, heir, electing, switchover } = after;
    if (electing && !before.electing) this.#view.moment("election", by);
    if (switchover !== null && before.switchover === null)
      this.#view.moment("switchover", switchover.to);
    if (leader === null && heir !== null && before.heir !== heir)
      this.#view.moment("handover", before.leader?.member ?? heir);
    if (leader !== null && leader.member !== before.leader?.member)
      this.#view.moment("lease", leader.member);
    if (leader !== null && !isSameGuarantee(before.sync.guarantee, after.sync.guarantee))
      this.#view.moment("promise", leader.member);
    if (leader !== null && before.sync.guarantee === null && after.sync.guarantee !== null)
      this.#view.moment("firstPromise", leader.member);
  }
}
