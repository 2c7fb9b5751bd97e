// What a member can reach of others: over the network their agents and servers, and through the
// operating system, which is everybody's on one machine, whether their processes live.
import { UnderstudyError } from "../../../src/core/errors.ts";
import type { Life } from "../life.ts";
import type { Kept } from "./disk.ts";
import type { ModelMember } from "./member.ts";
import type { Network, Reply } from "./network.ts";
import type { RewindTurn } from "./rewind-turn.ts";
import type { ModelServer } from "./server.ts";
import type { DataDirectory } from "./wal.ts";

/** One member of the simulated cluster, whether its agent runs or not. */
export interface Neighbour {
  readonly server: ModelServer;
  /** Its agent's process, alive or paused. */
  readonly running: { readonly life: Life; readonly member: ModelMember } | null;
  /** Calls back when the present agent ends. */
  onAgentEnd(callback: () => void): Disposable;
}

/** Who is about to lead, or to be named, and what it said of what it lacks. */
export interface Successor {
  readonly server: ModelServer;
  /** Who could have been chosen too. */
  readonly others: readonly ModelServer[];
  /** Whether it was said beforehand that something may be lost. */
  readonly lossReported: boolean;
  /** Who may break a promise. */
  readonly byPerson: boolean;
}

/** The checkers' eyes on what members do to data. */
export interface Onlooker {
  /** It is about to take the lease, or to be given it: what it lacks is lost, and that was told. */
  named(successor: Successor): void;
  /** Of that WAL, what lies beyond `from` is gone now. */
  destroyed(data: DataDirectory, why: { member: string; announced: boolean; from?: number }): void;
  /** Of what was set aside, the oldest gives way. */
  keptRemoved(member: string, removed: Kept): void;
  /** It is about to do a switchover that was scheduled. */
  scheduleComes(member: string): void;
  /** Its data are given up now. */
  rewindBegins(turn: RewindTurn): void;
  /** A copy or a rewind has begun: an end of these is demanded once faults have ended. */
  remade(member: string, how: "copied" | "rewound"): void;
}

export interface Asker {
  readonly name: string;
  readonly life: Life;
}

interface Inquiry<T, To> {
  readonly to: string;
  readonly limitMs: number;
  readonly answer: (other: To) => T | Promise<T>;
}

export class Surroundings {
  readonly network: Network;
  readonly onlooker: Onlooker;
  readonly #members: ReadonlyMap<string, Neighbour>;

  constructor(options: {
    network: Network;
    members: ReadonlyMap<string, Neighbour>;
    onlooker: Onlooker;
  }) {
    this.network = options.network;
    this.onlooker = options.onlooker;
    this.#members = options.members;
  }

  /** Whatever the network does. */
  neighbour(name: string): Neighbour | null {
    return this.#members.get(name) ?? null;
  }

  /**
   * An agent that is dead is not there to answer; one that is paused answers when it goes on.
   * @throws UnderstudyError MEMBER_UNREACHABLE, or what the answer throws.
   */
  askAgent<T>({ name, life }: Asker, { to, limitMs, answer }: Inquiry<T, ModelMember>): Promise<T> {
    const unreachable = () =>
      new UnderstudyError("MEMBER_UNREACHABLE", `the agent of ${to} does not answer`);
    return this.network.ask<T>({
      from: name,
      life,
      to,
      limitMs,
      silence: unreachable,
      ask: (reply) => {
        const running = this.#members.get(to)?.running ?? null;
        if (running === null) return reply({ error: unreachable() });
        running.life.deliver(() => void answerWith(reply, () => answer(running.member)));
      },
    });
  }

  /**
   * A new connection to a server.
   * @throws UnderstudyError CONNECTION_FAILED, or what the answer throws.
   */
  askServer<T>(
    { name, life }: Asker,
    { to, limitMs, answer }: Inquiry<T, ModelServer>,
  ): Promise<T> {
    const refused = () => new UnderstudyError("CONNECTION_FAILED", `${to} does not answer`);
    return this.network.ask<T>({
      from: name,
      life,
      to,
      limitMs,
      silence: refused,
      ask: (reply) => {
        const server = this.#members.get(to)?.server;
        // The system takes the connection for a postmaster that is stopped, and nobody answers.
        if (server === undefined || server.isHeld || server.isFrozen) return;
        if (!server.takesConnections) return reply({ error: refused() });
        void answerWith(reply, () => answer(server));
      },
    });
  }

  /** Over a connection that is open: null once it has broken. */
  connected(one: string, other: string): ModelServer | null {
    const server = this.#members.get(other)?.server;
    const isThere = server?.state === "accepting" && !server.isFrozen;
    return isThere && this.network.connects(one, other) ? server : null;
  }
}

async function answerWith<T>(reply: Reply<T>, answer: () => T | Promise<T>): Promise<void> {
  try {
    reply({ value: await answer() });
  } catch (error) {
    reply({ error });
  }
}
