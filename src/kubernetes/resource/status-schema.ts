// What a PostgresCluster's status tells. Written by us alone; described as the spec is, so that
// `kubectl explain` knows it.
import * as v from "valibot";
import { keyedBy } from "./field.ts";

const time = v.string();
const count = v.pipe(v.number(), v.integer());
const name = v.optional(v.string());

const memberStatus = v.strictObject({
  name: v.string(),
  role: v.optional(v.picklist(["primary", "standby", "none"])),
  state: v.optional(v.pipe(v.string(), v.description("One phrase, for people."))),
  pod: name,
  node: name,
  timeline: v.optional(count),
  lagBytes: v.optional(v.pipe(count, v.description("Of what it has replayed."))),
});

const condition = v.strictObject({
  type: v.string(),
  status: v.picklist(["True", "False", "Unknown"]),
  reason: v.string(),
  message: v.string(),
  lastTransitionTime: time,
  observedGeneration: v.optional(count),
});

export const statusSchema = v.pipe(
  v.strictObject({
    observedGeneration: v.optional(
      v.pipe(count, v.description("Of the spec that this status is about.")),
    ),
    phase: v.optional(v.pipe(v.string(), v.description("One phrase, for people."))),
    ready: v.optional(v.pipe(v.string(), v.description("Members that are ready, of all: 3/3."))),
    standbys: v.optional(v.pipe(count, v.description("For the scale subresource."))),
    selector: v.optional(v.pipe(v.string(), v.description("For the scale subresource."))),
    currentPrimary: name,
    targetPrimary: v.optional(v.pipe(v.string(), v.description("To whom a switchover leads."))),
    timeline: v.optional(count),
    version: v.optional(v.pipe(v.string(), v.description("Of PostgreSQL."))),
    lag: v.optional(v.pipe(v.string(), v.description("Of the standby that is furthest behind."))),
    sync: v.optional(v.pipe(v.string(), v.description("What is promised of commits."))),
    members: v.optional(v.pipe(v.array(memberStatus), keyedBy("name"))),
    conditions: v.optional(v.pipe(v.array(condition), keyedBy("type"))),
  }),
  v.description("What the cluster is."),
);

export type PostgresClusterStatus = v.InferOutput<typeof statusSchema>;
export type Condition = v.InferOutput<typeof condition>;
