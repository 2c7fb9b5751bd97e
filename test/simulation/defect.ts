// What a deliberate defect may change: a step of the modelled effects, an effect, or the time.
import type { Clock } from "../../src/agent/clock.ts";
import type { Effects } from "../../src/agent/effects/effect.ts";
import type { ClusterRecord } from "../../src/core/record.ts";
import type { Store, Versioned } from "../../src/store/store.ts";
import type { MachineClock } from "./life.ts";
import type { observeModel } from "./model/effects.ts";
import type { ModelMember, ModelWitnessed } from "./model/member.ts";
import type { Steps } from "./model/steps.ts";
import type { Choice } from "./failover-by-hand.ts";
import type { ThemeName } from "./themes.ts";

export interface Defect {
  /** A sentence: what is done wrong. */
  readonly name: string;
  /** Of the plans under which it is looked for; else each seed has its own. */
  readonly theme?: ThemeName;
  readonly steps?: Partial<Steps>;
  readonly alterEffects?: (effects: Effects<ModelMember>) => Effects<ModelMember>;
  readonly alterClock?: (clock: Clock, machineClock: MachineClock) => Clock;
  readonly alterStore?: (store: Store) => Store;
  readonly observe?: typeof observeModel;
  readonly alterWitness?: (witness: ModelWitnessed) => ModelWitnessed;
  readonly withoutDeadman?: boolean;
  readonly choice?: Partial<Choice>;
}

export const NO_DEFECT: Defect = { name: "none" };

/** A store in which each change of the record is written otherwise. */
export function alteringWrites(
  alter: (record: ClusterRecord, before: ClusterRecord) => ClusterRecord,
): (store: Store) => Store {
  return (store) => {
    let known: Versioned | null = null;
    return {
      ...store,
      watch: (onChange) => store.watch(onChange),
      read: async () => (known = await store.read()),
      write: async (request) => {
        const { record } = request;
        return store.write({ ...request, record: alter(record, known?.record ?? record) });
      },
    };
  };
}
