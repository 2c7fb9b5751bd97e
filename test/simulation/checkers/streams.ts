// Who is told to stream from another standby goes on without it: while that one is dead and the
// primary within reach, it does not wait long.
import type { ModelServer } from "../model/server.ts";
import { STORE } from "../model/network.ts";
import { upstreamOf } from "./ailment.ts";
import type { View } from "./checker.ts";

/**
 * An agent looks again after ten seconds, finds that its upstream has been away for five at the
 * look after that, and messages may be lost.
 */
const LIMIT_MS = 40_000;

export class StreamChecker {
  readonly #view: View;
  /** Since when each has been without a stream, with nothing in its way. */
  readonly #sinceMs = new Map<string, number>();

  constructor(view: View) {
    this.#view = view;
  }

  /** Called often. */
  observe(): void {
    const nowMs = this.#view.nowMs();
    for (const server of this.#view.servers.values()) {
      const sinceMs = this.#sinceMs.get(server.name) ?? nowMs;
      if (!this.#waitsInVain(server)) this.#sinceMs.delete(server.name);
      else this.#sinceMs.set(server.name, sinceMs);
      if (this.#sinceMs.has(server.name) && nowMs - sinceMs > LIMIT_MS)
        this.#view.fail(
          "nobody waits for an upstream that is gone",
          `${server.name} has streamed from nobody for ${LIMIT_MS / 1_000} s, though the primary is within reach`,
        );
    }
  }

  #waitsInVain(server: ModelServer): boolean {
    const { name, machine } = server;
    const record = this.#view.storedRecord();
    const leader = record.leader?.member ?? "";
    const upstream = upstreamOf(record, name);
    if (upstream === null || upstream === leader || !(name in record.members)) return false;
    if (this.#view.servers.get(upstream)?.hasProcesses !== false) return false;
    if (!server.takesConnections || !server.inRecovery || server.streamsFrom !== null) return false;
    if (server.disk.isFull || record.fenced.includes(name)) return false;
    const leads = record.leader?.timeline !== null && this.#view.isAtWork(leader);
    if (!leads || !this.#view.answers(name)) return false;
    const ways = [
      [name, leader],
      [name, STORE],
      [leader, STORE],
    ] as const;
    return ways.every(([one, other]) => machine.network.connects(one, other));
  }
}
