// Starts a member's agent again when it has died: an agent's crash alone does not interrupt the
// database. The new agent starts a deadman of its own and relieves this one.
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../../core/errors.ts";
import type { Journal } from "../journal.ts";

/**
 * How the agent is started: as the one before it was. It has this process's priority until it has
 * handed that down to a deadman of its own.
 */
export interface AgentCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** Where it prints its last words. */
  readonly output: string;
}

export interface GuardianOptions {
  readonly member: string;
  readonly command: AgentCommand;
  readonly events: Journal;
  /** How often in a row an agent of this member has been started again already. */
  readonly earlierTries: number;
  /** Called when there is nothing more that it will try. */
  readonly onGivenUp: () => void;
}

/** Counts over the agents and their deadmen: each gives it to the next. */
export const TRIES_VARIABLE = "UNDERSTUDY_AGENT_RESTARTS";
/** An agent that lived this long was sound: counting begins anew. */
const SOUND_AFTER_MS = 60_000;
/**
 * After so many in a row it is told, and tried less often: what is wrong takes somebody, or time.
 */
const MANY_TRIES = 10;
const PAUSE_MS = { second: 250, longest: 5_000, afterMany: 60_000 };

export class Guardian {
  readonly #options: GuardianOptions;
  readonly #bornMs = performance.now();
  #tries = 0;
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isActive = false;

  constructor(options: GuardianOptions) {
    this.#options = options;
  }

  /** Whether it is at it, or will be. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** The agent has died: the first try comes at once, later ones after longer and longer pauses. */
  begin(): void {
    const lived = performance.now() - this.#bornMs;
    this.#tries = lived > SOUND_AFTER_MS ? 0 : this.#options.earlierTries;
    this.#isActive = true;
    this.#next();
  }

  /** Nothing more is tried; an agent that is just coming up is left alone. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#isActive = false;
  }

  /** As `stop`, and an agent that is just coming up is killed. Returns when it is gone. */
  async stopWithChild(): Promise<void> {
    this.stop();
    const child = this.#child;
    if (child === null) return;
    await new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.kill("SIGKILL");
    });
  }

  #next(): void {
    this.#timer = setTimeout(() => this.#start(), this.#pauseMs());
  }

  #pauseMs(): number {
    if (this.#tries >= MANY_TRIES) return PAUSE_MS.afterMany;
    const pause = this.#tries === 0 ? 0 : PAUSE_MS.second * 2 ** (this.#tries - 1);
    return Math.min(pause, PAUSE_MS.longest);
  }

  #start(): void {
    const { member, events } = this.#options;
    this.#tries += 1;
    try {
      this.#child = this.#spawn();
    } catch (thrown) {
      return this.#failed(messageOf(thrown));
    }
    const child = this.#child;
    child.once("error", (error) => this.#failed(error.message));
    child.once("exit", (status, signal) => this.#failed(`it ended with ${signal ?? status}`));
    if (child.pid === undefined) return;
    events.write({
      event: "agent-restarted",
      level: "warning",
      message: `The agent of ${member} had died; it was started again.`,
      details: { pid: child.pid, attempt: this.#tries },
    });
  }

  #spawn(): ChildProcess {
    const { file, args, output } = this.#options.command;
    const words = openSync(output, "a", 0o600);
    try {
      const env = { ...process.env, [TRIES_VARIABLE]: String(this.#tries) };
      const stdio = ["ignore", words, words] as const;
      return spawn(file, args, { detached: true, stdio: [...stdio], cwd: "/", env });
    } finally {
      closeSync(words);
    }
  }

  #failed(why: string): void {
    this.#child = null;
    if (!this.#isActive) return;
    if (this.#tries === MANY_TRIES) this.#tellOfMany(why);
    if (this.#memberIsThere()) return this.#next();
    this.#isActive = false;
    this.#options.onGivenUp();
  }

  #tellOfMany(why: string): void {
    const { member, events } = this.#options;
    events.write({
      event: "agent-keeps-dying",
      level: "error",
      message: `The agent of ${member} has died ${MANY_TRIES} times in a row (${why}); it is tried once a minute from now on. Its last words: understudy logs ${member}`,
    });
  }

  /** Of a member that somebody has deleted no agent will ever come up. */
  #memberIsThere(): boolean {
    return existsSync(dirname(this.#options.command.output));
  }
}
