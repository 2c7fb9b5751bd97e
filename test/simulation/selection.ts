// Part of a plan, as a command can name it: some of its faults, and what goes on without any.
import { CALM } from "./model/network.ts";
import type { Plan } from "./plan.ts";

export interface Selection {
  /** Of the plan's faults, counted from 1; null: all. */
  readonly only: readonly number[] | null;
  /** A network that is at rest and clocks that run alike. */
  readonly calm: boolean;
}

export const WHOLE: Selection = { only: null, calm: false };

export function select(plan: Plan, { only, calm }: Selection): Plan {
  const faults =
    only === null ? plan.faults : plan.faults.filter((_, place) => only.includes(place + 1));
  const quiet = { weather: CALM, clockRates: {} };
  return { ...plan, ...(calm ? quiet : {}), faults };
}

/** The arguments that repeat it. */
export function formatSelection({ only, calm }: Selection): string {
  return `${only === null ? "" : ` --only ${only.join(",") || "none"}`}${calm ? " --calm" : ""}`;
}

/** Of `--only`: "2,5", or "none". */
export function parseOnly(text: string | undefined): readonly number[] | null {
  if (text === undefined) return null;
  return text === "none" ? [] : text.split(",").map(Number);
}
