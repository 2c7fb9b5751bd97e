// What may be asked of an agent over its API, each request in terms of the agent's loop and the
// effects.
import { setTimeout as delay } from "node:timers/promises";
import { takesReaders } from "../core/cascade.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { parseLsn, parseLsnOrNull } from "../core/lsn.ts";
import type { MemberReach, MemberStatus } from "../core/member-status.ts";
import { releaseLease } from "../core/record-changes.ts";
import { SHUT_DOWN, type Agent } from "./agent.ts";
import type { AgentRequests, Decided } from "./api.ts";
import type { WalPiece } from "../postgres/wal-rescue/told-wal.ts";
import { bestSuccessor } from "./best-successor.ts";
import { requireConfirmed, type Claim } from "./confirmation.ts";
import { readDeadWal, tellDeadWal, type AskedOfDead, type ToldOfDead } from "./dead-wal.ts";
import { handOver, whyNot } from "./effects/hand-over.ts";
import { keepData, setCopyAside } from "./effects/data-aside.ts";
import { compareWith, historyOf } from "./effects/rejoin.ts";
import { saveOnRequest, type SavedOnRequest } from "./effects/save-on-request.ts";
import { stopServer } from "./effects/start.ts";
import { readJournal, type Entry } from "./journal.ts";
import { readReach, type Doing } from "./member-look.ts";
import { writableLeader, type Member } from "./member.ts";
import type { Pulse } from "./pulse.ts";
import { StatusReader } from "./status.ts";

export interface RequestDeskOptions {
  readonly member: Member;
  readonly agent: Agent;
  /** Reads the specification anew. */
  readonly rereadFile: () => Promise<void>;
  /** Of the agent's loop. */
  readonly pulse: Pick<Pulse, "isBeating">;
  /** What the store's trouble is, or null. */
  readonly storeTrouble: () => string | null;
  /** See MemberStatus. */
  readonly toldGeneration?: () => number;
}

const REPLAY_POLL_MS = 2;

export class RequestDesk implements AgentRequests {
  readonly #member: Member;
  readonly #agent: Agent;
  readonly #options: RequestDeskOptions;
  readonly #statusReader: StatusReader;

  constructor(options: RequestDeskOptions) {
    this.#options = options;
    this.#member = options.member;
    this.#agent = options.agent;
    this.#statusReader = new StatusReader(options.member);
  }

  status(): Promise<MemberStatus> {
    return this.#statusReader.read({
      ...this.#doing(),
      storeTrouble: this.#options.storeTrouble(),
      generation: this.#agent.appliedGeneration,
      toldGeneration: this.#options.toldGeneration?.(),
    });
  }

  reach(): Promise<MemberReach> {
    return readReach(this.#member, this.#doing());
  }

  role(): "primary" | "standby" | "none" {
    const { ground } = this.#agent;
    if (ground === "standby") return "standby";
    const { keeper, sync } = this.#member;
    return ground === "primary" && keeper.holdsLease && sync.isOpen ? "primary" : "none";
  }

  isAlive(): boolean {
    return this.#options.pulse.isBeating;
  }

  takesReads(): boolean {
    const address = this.#member.keeper.record?.members[this.#member.name];
    return address === undefined || takesReaders(address);
  }

  async switchover({ to, dryRun }: { to: string; dryRun: boolean }): Promise<void> {
    await this.#agent.request("switchover", async (context) => {
      this.#mustLead("switch over");
      const obstacle = dryRun ? await whyNot({ ...context, to }) : null;
      if (obstacle !== null)
        throw new UnderstudyError("SWITCHOVER_REFUSED", `cannot switch over to ${to}: ${obstacle}`);
      if (!dryRun) await handOver({ ...context, to, order: "switchover-on-request" });
    });
  }

  restart(): Promise<void> {
    // A start that does not end must not keep it from being asked for again.
    this.#agent.interrupt("a restart was asked for");
    return this.#agent.request("restart", async (context) => {
      this.#member.event({
        event: "restart",
        message: `${this.#member.name} restarts on request.`,
      });
      await stopServer(context);
    });
  }

  reload(): Promise<void> {
    return this.#agent.request("reload", async () => {
      await this.#options.rereadFile();
      this.#agent.lookAgain();
      await this.#member.server.reload();
    });
  }

  reclone(): Promise<void> {
    this.#agent.interrupt("a reclone was asked for");
    return this.#agent.request("reclone", async (context) => {
      const { member, record } = context;
      const leader = writableLeader(record);
      if (leader === null)
        throw new UnderstudyError(
          "NO_PRIMARY",
          `cannot reclone ${member.name}: there is no primary to copy`,
        );
      if (leader.name === member.name)
        throw new UnderstudyError(
          "PRIMARY_PROTECTED",
          `cannot reclone ${member.name}: it is the primary of term ${leader.term}`,
        );
      // The primary must answer before anything is taken away.
      await historyOf(member, leader);
      await stopServer(context);
      const { ground } = this.#agent;
      if (ground === "nothing" || ground === "half-made") return;
      const { standing } = await compareWith(member, { leader, record });
      // A mere copy is removed when the new one is whole (effects/clone.ts).
      const kept = standing.kind === "behind" ? null : await keepData(member);
      if (kept === null) await setCopyAside(member, record.term);
      member.event({
        event: "reclone",
        message: `${member.name} is copied anew on request; ${kept === null ? `all that it had is in the history of ${leader.name}` : `what it had is kept in ${kept}`}.`,
        details: { kept, standing: standing.kind },
      });
    });
  }

  async awaitReplay(request: { member: string; beyond: string; timeoutMs: number }): Promise<void> {
    const { member, beyond, timeoutMs } = request;
    // A port may have changed hands: the proof must be this member's own.
    if (member !== this.#member.name)
      throw new UnderstudyError("REFUSED", `this is ${this.#member.name} and not ${member}`);
    const target = parseLsn(beyond);
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const { replayLsn } = await this.#member.positions.read();
      const replayed = parseLsnOrNull(replayLsn);
      // Beyond, not at: the position is the start of the last record (postgres-facts, "switchover
      // floor").
      if (replayed !== null && replayed > target) return;
      if (performance.now() > deadline)
        throw new UnderstudyError(
          "TIMED_OUT",
          `${this.#member.name} has replayed ${replayLsn ?? "nothing"} and not ${beyond} within ${timeoutMs / 1000} s`,
        );
      await delay(REPLAY_POLL_MS);
    }
  }

  async saveWal({ term }: { term: number }): Promise<SavedOnRequest> {
    const saved = Promise.withResolvers<SavedOnRequest>();
    await this.#agent.request("save-wal", async (context) => {
      const { ground } = this.#agent;
      saved.resolve(await saveOnRequest(context, { term, ground }));
    });
    return saved.promise;
  }

  tellWal(request: AskedOfDead & { lsn: string }): Promise<ToldOfDead> {
    return tellDeadWal(this.#member, request);
  }

  readWal(request: AskedOfDead & WalPiece): Promise<{ readonly wal: string }> {
    return readDeadWal(this.#member, request);
  }

  async noteDecision({ event, message, details }: Decided): Promise<void> {
    if (event !== undefined) return this.#member.event({ event, message, details });
    const rule = "failover-on-request";
    this.#member.event({ event: "failover-decided", rule, level: "warning", message, details });
  }

  async readEvents({ count }: { count: number }): Promise<{ events: readonly Entry[] }> {
    const events = await readJournal(this.#member.paths.events);
    return { events: count === 0 ? [] : events.slice(-count) };
  }

  async confirm(request: Claim & { member: string }): Promise<void> {
    const { member, ...claim } = request;
    const { name, keeper } = this.#member;
    // A port may have changed hands.
    if (member !== name) throw new UnderstudyError("REFUSED", `this is ${name} and not ${member}`);
    const { effect } = this.#agent.activity;
    const { record, isUncertain } = keeper;
    requireConfirmed(claim, { member, record, effect, isUncertain });
    keeper.promise(claim);
  }

  /**
   * As shutDown, but a primary hands over first where a standby can lead: whoever ends it does not
   * mean the cluster, as when a node is drained.
   */
  async leave(): Promise<void> {
    this.#agent.interrupt("the member is shut down");
    if (this.role() === "primary")
      await this.#agent
        .request("switchover", async (context) => {
          if (this.role() !== "primary") return;
          const to = await bestSuccessor(context);
          await handOver({ ...context, to, order: "switchover-on-leave" });
        })
        .catch((thrown: unknown) => {
          this.#member.event({
            event: "not-handed-over",
            level: "warning",
            message: `${this.#member.name} ends and hands over to nobody: ${messageOf(thrown)}`,
          });
        });
    await this.shutDown();
  }

  async shutDown(): Promise<void> {
    this.#agent.interrupt("the member is shut down");
    const member = this.#member;
    // Without a record nothing was begun, but a server that was there before may run.
    if (member.keeper.record === null) {
      await stopServer({ member, signal: new AbortController().signal });
      return this.#agent.end();
    }
    return this.#agent.request(SHUT_DOWN, async (context) => {
      await stopServer(context);
      const ending = { by: member.name, rule: "stop-on-request", downMs: null } as const;
      const holder = { member: member.name, term: context.record.term, heir: member.name, ending };
      // It is named to take the lease again: the cluster comes back as it was. A store that does
      // not answer must not keep it from ending; whose lease it was is then still in the record.
      await member.keeper
        .change((current) => releaseLease(current, holder))
        .catch((thrown: unknown) => {
          member.log.write({ event: "lease-kept", level: "error", message: messageOf(thrown) });
        });
      member.event({ event: "stopped", message: `${member.name} was stopped on request.` });
      this.#agent.end();
    });
  }

  /** At this moment. */
  #doing(): Doing {
    const { ground, activity, progress } = this.#agent;
    return { ground, activity, progress };
  }

  #mustLead(what: string): void {
    const { record } = this.#member.keeper;
    if (this.role() === "primary") return;
    throw new UnderstudyError(
      "SWITCHOVER_REFUSED",
      `${this.#member.name} cannot ${what}: it is not the primary, ${record?.leader?.member ?? "nobody"} is`,
    );
  }
}
