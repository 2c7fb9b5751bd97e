// What the operating system of one machine proves of a member: the model of LocalWitness
// (src/agent/witness.ts), which reads it from /proc and from locks.
import type { Witness } from "../../../src/agent/witness.ts";
import type { Surroundings } from "./member.ts";

export class ModelWitness implements Pick<Witness, "isGone"> {
  readonly #around: Surroundings;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  isGone(member: string, { leaseHasRunOut }: { leaseHasRunOut: boolean }): boolean {
    const neighbour = this.#around.neighbour(member);
    if (neighbour === null) return false;
    const { server, hasAgent } = neighbour;
    if (!server.hasProcesses) return !hasAgent || leaseHasRunOut;
    return !hasAgent && (server.state === "stopped" || leaseHasRunOut);
  }
}
