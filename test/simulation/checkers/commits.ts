// No acknowledged commit is lost, but what was told to be; and no more than must be.
import type { ModelServer } from "../model/server.ts";
import type { Successor } from "../model/surroundings.ts";
import type { View } from "./checker.ts";

export class CommitChecker {
  readonly #view: View;
  /** What every later primary must have. */
  readonly #acknowledged = new Set<number>();
  /** Of members that are about to lead: who would have had more, and what was told to be lost. */
  readonly #choices = new Map<string, { better: string | null; told: readonly number[] }>();
  acknowledgedCount = 0;
  lostReported = 0;

  constructor(view: View) {
    this.#view = view;
  }

  acknowledged(id: number): void {
    this.#acknowledged.add(id);
    this.acknowledgedCount += 1;
  }

  /** An application has seen it, so it counts as acknowledged. */
  shown(id: number): void {
    this.#acknowledged.add(id);
  }

  /**
   * What it lacks is lost where that was said, but no more than must be; and never by itself what
   * was promised to stay.
   */
  named({ server, others, lossReported, byPerson }: Successor): void {
    // Without data it cannot be promoted, and loses nothing.
    if (server.disk.data === null) return;
    const missing = this.#missingOn(server);
    const better =
      missing.length === 0
        ? undefined
        : others.find((other) => this.#missingOn(other).length < missing.length);
    const isPromised = this.#view.storedRecord().sync.guarantee !== null;
    const told = lossReported && (byPerson || !isPromised) ? missing : [];
    this.#choices.set(server.name, { better: better?.name ?? null, told });
  }

  /** The choice holds once that member may lead. @returns what was told to be lost by it. */
  mayLead(member: string | null): readonly number[] {
    const choice = this.#choices.get(member ?? "");
    if (member === null || choice === undefined) return [];
    this.#choices.delete(member);
    const { better, told } = choice;
    if (better !== null)
      this.#view.fail(
        "no more is lost than must be",
        `${member} was chosen to lead, though ${better} has commits that it has not`,
      );
    this.lostReported += told.length;
    for (const id of told) this.#acknowledged.delete(id);
    return told;
  }

  leads(server: ModelServer): void {
    const missing = this.#missingOn(server).length;
    if (missing > 0)
      this.#view.fail(
        "acknowledged commits stay",
        `${server.name} is the primary without ${missing} acknowledged commits, and nobody said so`,
      );
  }

  #missingOn({ disk }: ModelServer): number[] {
    const held = new Set(disk.data?.wal.map(({ id }) => id));
    return [...this.#acknowledged].filter((id) => !held.has(id));
  }
}
