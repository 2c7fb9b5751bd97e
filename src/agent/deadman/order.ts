// What an agent tells its deadman: lines of text on a pipe. Pure.

export type Order =
  /**
   * From `deadlineMs` on the member's clock PostgreSQL must not live. Replaces what came before.
   */
  | { readonly kind: "arm"; readonly deadlineMs: number; readonly term: number }
  /** The member is not writable and does not become so before the next order. */
  | { readonly kind: "disarm" }
  /** The agent ends on purpose: it is not to be started again. A deadline remains. */
  | { readonly kind: "leave" };

export function writeOrder(order: Order): string {
  return order.kind === "arm" ? `arm ${order.deadlineMs} ${order.term}\n` : `${order.kind}\n`;
}

/** @returns null for what is no order: it is passed over, and the deadline that stands remains. */
export function readOrder(line: string): Order | null {
  const [kind, deadline = "", term = ""] = line.split(" ");
  if (kind === "disarm" || kind === "leave") return line === kind ? { kind } : null;
  if (kind !== "arm" || !/^\d+(\.\d+)?$/.test(deadline) || !/^\d+$/.test(term)) return null;
  return { kind, deadlineMs: Number(deadline), term: Number(term) };
}

/** Cuts a stream of text into whole lines; the beginning of one is kept for the next piece. */
export class Lines {
  #rest = "";

  add(piece: string): string[] {
    const lines = `${this.#rest}${piece}`.split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }
}
