// Whom a modelled server lets in. One that has started on a full disk has to write a cache file for
// each database anew, as its start has removed them, and turns away whoever needs one; who streams
// needs none (measured, see src/agent/shut-out.ts).
import type { ModelServer } from "./server.ts";

export class Door {
  readonly #server: ModelServer;
  #lacksCaches = false;
  /** All connections are taken for which a role needs no privilege (53300). */
  isCrowded = false;

  constructor(server: ModelServer) {
    this.#server = server;
  }

  /** Its server begins to let people in. */
  recovered(): void {
    this.#lacksCaches = this.#server.disk.isFull;
  }

  /** For want of room it turns every login to a database away. */
  get isShut(): boolean {
    const { disk, state } = this.#server;
    this.#lacksCaches &&= disk.isFull;
    return this.#lacksCaches && state === "accepting";
  }

  get takesLogins(): boolean {
    return this.takesStreams && !this.isCrowded && !this.isShut;
  }

  get takesStreams(): boolean {
    const { state, closed, isHeld, isFrozen } = this.#server;
    return state === "accepting" && !closed && !isHeld && !isFrozen;
  }
}
