// Has a primary look after its synchronous standbys when one has come or gone: PostgreSQL gives no
// sign of that, so it is asked each second, as long as commits are to wait for any.
import { messageOf } from "../../core/errors.ts";
import type { Agent } from "../agent.ts";
import { needsToSynchronize } from "../effects/synchronize.ts";
import type { Member } from "../member.ts";

const PERIOD_MS = 1_000;

export class SyncWatch implements Disposable {
  readonly #options: { member: Member; agent: Pick<Agent, "ground" | "activity" | "lookAgain"> };
  #timer: Disposable | null = null;
  #isDisposed = false;

  constructor(options: {
    member: Member;
    agent: Pick<Agent, "ground" | "activity" | "lookAgain">;
  }) {
    this.#options = options;
    this.#schedule();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#timer?.[Symbol.dispose]();
  }

  #schedule(): void {
    if (this.#isDisposed) return;
    const { clock } = this.#options.member;
    this.#timer = clock.setTimer(
      PERIOD_MS,
      () => void this.#look().finally(() => this.#schedule()),
    );
  }

  async #look(): Promise<void> {
    const { member, agent } = this.#options;
    // Whatever is under way looks by itself, or the server is not to be asked meanwhile.
    if (agent.ground !== "primary" || agent.activity.effect !== null) return;
    try {
      if (await needsToSynchronize(member)) agent.lookAgain();
    } catch (thrown) {
      member.log.write({ event: "sync-watch", level: "error", message: messageOf(thrown) });
    }
  }
}
