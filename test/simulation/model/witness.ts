// What the operating system of one machine proves of a member: the model of LocalWitness
// (src/agent/witness.ts), which reads it from /proc and from locks.
import type { ModelWitnessed } from "./member.ts";
import type { Neighbour, Surroundings } from "./surroundings.ts";

export class ModelWitness implements ModelWitnessed {
  readonly #around: Surroundings;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  isGone(member: string, { leaseHasRunOut }: { leaseHasRunOut: boolean }): boolean {
    const neighbour = this.#around.neighbour(member);
    if (neighbour === null) return false;
    const { server, running } = neighbour;
    const hasAgent = running !== null;
    if (!server.hasProcesses) return !hasAgent || leaseHasRunOut;
    if (hasAgent) return leaseHasRunOut && standsStill(neighbour);
    return server.state === "stopped" || leaseHasRunOut;
  }

  fence(member: string): void {
    const neighbour = this.#around.neighbour(member);
    if (neighbour === null) return;
    if (neighbour.running === null || standsStill(neighbour)) neighbour.server.crash();
  }

  hasNoServer(member: string): boolean {
    return this.#around.neighbour(member)?.server.hasProcesses === false;
  }
}

/** Every process of it was stopped by a signal; one that a freezer holds does not look so. */
function standsStill({ server, running }: Neighbour): boolean {
  return running !== null && running.life.isPaused && server.isFrozen && !server.isInFreezer;
}
