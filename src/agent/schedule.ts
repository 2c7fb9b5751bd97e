// Carries out a switchover at the time that a person has named, as the agent of the primary: once,
// by its wall clock. What cannot be done then is told and not tried again.
import { UnderstudyError, messageOf } from "../core/errors.ts";
import {
  describeScheduled,
  dueOf,
  isSameSchedule,
  type Scheduled,
} from "../core/protocol/schedule.ts";
import type { Order } from "../core/protocol/orders.ts";
import type { Ground } from "../core/protocol/situation.ts";
import { cancelScheduled } from "../core/record-changes.ts";
import type { ClusterRecord } from "../core/record.ts";
import type { Agent, LoopMember } from "./agent.ts";
import { bestSuccessor } from "./best-successor.ts";
import type { EffectContext } from "./effects/effect.ts";
import { sharingOf } from "./effects/election.ts";
import { handOver } from "./effects/hand-over.ts";
import type { Member } from "./member.ts";

/** Nearer than this it is waited for to the millisecond; farther, the agent's own looks do. */
const NEAR_MS = 5_000;
const ORDER = "switchover-on-schedule";

type Context<M> = Omit<EffectContext<M>, "decision">;

/** What it has done, apart so that the simulation can put models in their place. */
export interface ScheduleSteps<M> {
  /** Why nobody may take over; null where somebody may. */
  readonly obstacle: (context: Context<M>) => Promise<string | null>;
  readonly bestSuccessor: (context: Context<M>) => Promise<string>;
  readonly handOver: (
    context: Context<M> & {
      readonly to: string;
      readonly order: Order;
      readonly scheduled: Scheduled;
    },
  ) => Promise<void>;
}

const STEPS: ScheduleSteps<Member> = {
  obstacle: ({ member, record }) => sharingOf(member, record),
  bestSuccessor,
  handOver,
};

/** Of a real member. */
export function scheduleOf(member: Member, agent: () => Agent | null): SwitchoverSchedule {
  return new SwitchoverSchedule({ member, agent, steps: STEPS });
}

export interface ScheduleOptions<M extends LoopMember> {
  readonly member: M;
  readonly agent: () => Pick<Agent<M>, "request" | "wake"> | null;
  readonly steps: ScheduleSteps<M>;
}

export class SwitchoverSchedule<M extends LoopMember = Member> implements Disposable {
  readonly #options: ScheduleOptions<M>;
  readonly #member: M;
  #timer: Disposable | null = null;
  #isBusy = false;
  #seen: { readonly scheduled: Scheduled | null; readonly term: number } | null = null;

  constructor(options: ScheduleOptions<M>) {
    this.#options = options;
    this.#member = options.member;
  }

  /** With each look of the agent's loop. */
  look(record: ClusterRecord | null, ground: Ground): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    if (record === null) return;
    const leads = record.leader?.member === this.#member.name;
    if (leads) this.#tellChange(record);
    this.#seen = { scheduled: record.scheduled, term: record.term };
    const { scheduled } = record;
    if (scheduled === null || !leads || ground !== "primary" || this.#isBusy) return;
    const due = dueOf(scheduled, Date.parse(this.#member.clock.wallClock()));
    if (due.kind === "waiting") this.#await(due.inMs);
    else void this.#end(scheduled, due.kind === "late" ? tooLate(due.byMs) : null);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #await(ms: number): void {
    if (ms > NEAR_MS) return;
    this.#timer = this.#member.clock.setTimer(ms, () => this.#options.agent()?.wake());
  }

  /** What an earlier agent has told is not told again. */
  #tellChange({ scheduled, term }: ClusterRecord): void {
    const seen = this.#seen;
    if (seen === null || this.#isBusy || isSameSchedule(seen.scheduled, scheduled)) return;
    if (scheduled !== null)
      this.#member.event({
        event: "switchover-scheduled",
        rule: ORDER,
        message: `A person has scheduled ${describeScheduled(scheduled)} for ${scheduled.at}.`,
        details: { ...scheduled, term },
      });
    else if (seen.scheduled !== null)
      this.#member.event({
        event: "switchover-cancelled",
        rule: ORDER,
        message:
          seen.term === term
            ? `${describeScheduled(seen.scheduled)} at ${seen.scheduled.at} was cancelled.`
            : `${describeScheduled(seen.scheduled)} at ${seen.scheduled.at} is not done: another member leads since.`,
        details: { ...seen.scheduled, term },
      });
  }

  /** Done, or told why not; in either case it is over. */
  async #end(scheduled: Scheduled, obstacle: string | null): Promise<void> {
    this.#isBusy = true;
    const trouble = obstacle ?? (await this.#perform(scheduled));
    try {
      if (trouble === null) return;
      await this.#member.keeper.change((record) =>
        isSameSchedule(record.scheduled, scheduled) ? cancelScheduled(record) : null,
      );
      this.#member.event({
        event: "switchover-expired",
        rule: ORDER,
        level: "warning",
        message: `${describeScheduled(scheduled)} was scheduled for ${scheduled.at} and is not done: ${trouble}.`,
        details: { ...scheduled },
      });
    } catch (thrown) {
      // The store does not answer: it is looked at again, and by then may be too late.
      this.#member.log.write({
        event: "schedule",
        level: "error",
        message: messageOf(thrown),
      });
    } finally {
      this.#seen = null;
      this.#isBusy = false;
    }
  }

  /** @returns why it was not done; null when it was, or was cancelled meanwhile. */
  async #perform(scheduled: Scheduled): Promise<string | null> {
    const { agent, steps } = this.#options;
    try {
      await agent()?.request("switchover", async (context) => {
        const { record } = context;
        const isWanted = isSameSchedule(record.scheduled, scheduled);
        if (!isWanted || record.leader?.member !== this.#member.name) return;
        const obstacle = await steps.obstacle(context);
        if (obstacle !== null) throw new UnderstudyError("SWITCHOVER_REFUSED", obstacle);
        const to = scheduled.to ?? (await steps.bestSuccessor(context));
        await steps.handOver({ ...context, to, order: ORDER, scheduled });
      });
      return null;
    } catch (thrown) {
      return messageOf(thrown);
    }
  }
}

function tooLate(byMs: number): string {
  return `its time had passed ${Math.round(byMs / 60_000)} minutes before this agent saw it`;
}
