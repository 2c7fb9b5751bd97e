// What an agent's loop has under way: an effect or a request, and why the last effect failed.
import type { EffectContext } from "./effects/effect.ts";

export interface Job {
  readonly name: string;
  /**
   * The state of the record that it was begun under; it is cut off when that changes. Null: it runs
   * to its end.
   */
  readonly key: string | null;
  readonly controller: AbortController;
}

/** A step that somebody asked for; it is done before what the rules say, and to its end. */
export interface Request<M> {
  readonly name: string;
  readonly run: (context: Omit<EffectContext<M>, "decision">) => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  readonly beginByMs: number;
}

export interface Failure {
  readonly rule: string;
  readonly message: string;
  readonly attempts: number;
  readonly retryAtMs: number;
}
