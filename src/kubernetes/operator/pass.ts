// One pass of the operator over one cluster: look, keep its objects, tell its status, take one
// step. What it knows from pass to pass is only to spare writing; all else is in the API.
import { randomBytes } from "node:crypto";
import { messageOf, UnderstudyError } from "../../core/errors.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { setSyncPolicy } from "../../core/sync-policy.ts";
import { Secret } from "../../core/secret.ts";
import type { KubernetesApi } from "../../kubernetes-api/api.ts";
import { EVENT, POSTGRES_CLUSTER } from "../../kubernetes-api/kinds.ts";
import type { ResourceKind } from "../../kubernetes-api/resource.ts";
import { KubernetesStore } from "../../store/kubernetes-store.ts";
import { changeRecord, type Store } from "../../store/store.ts";
import { judge, type Verdict } from "../failure-domains/shared-fate.ts";
import { clusterObjects, objectKey, type ClusterObjects } from "../objects/cluster-objects.ts";
import type { Manifest, Surroundings } from "../objects/manifest.ts";
import { clusterLabels, secretName, serviceName, specificationName } from "../objects/names.ts";
import type { ClusterPasswords } from "../objects/secrets.ts";
import { memberVolumes } from "../objects/volumes.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import type { PostgresClusterStatus } from "../resource/status-schema.ts";
import { statusOf } from "../status/cluster-status.ts";
import { lostOf } from "../status/lost.ts";
import { serviceAstray } from "../status/service-astray.ts";
import { refusedStatus, troubledStatus } from "../status/refused-status.ts";
import { askMembers, type Agents } from "./agents.ts";
import { eventObject, eventsBetween, type EventText } from "./events.ts";
import { memberPlaces, nodesOf, type Facts } from "./facts.ts";
import type { Handovers } from "./handovers.ts";
import { keepCertificates } from "./keep-certificates.ts";
import { keepObjects, type ObjectMemory } from "./keep-objects.ts";
import { readObjects, readVolumes, type ClusterObject } from "./reading.ts";
import { statusPatch } from "./status-patch.ts";
import { chooseStep, perform, toldAs, type Step } from "./step.ts";
import { readTroubles } from "./troubles.ts";
import { ACCEPTED_ANNOTATION, wantedOf, type ParameterCheck } from "./wanted.ts";
import type { Again } from "./work-queue.ts";

export interface PassOptions {
  readonly api: KubernetesApi;
  readonly agents: Agents;
  readonly handovers: Handovers;
  readonly surroundings: Surroundings;
  readonly kinds: readonly ResourceKind[];
  readonly check: ParameterCheck;
  /** Of this operator, for events: its pod. */
  readonly instance: string;
  readonly onEvent: (event: EventText, of: ClusterPlace) => void;
}

export interface ClusterPlace {
  readonly name: string;
  readonly namespace: string;
}

/** What agents say changes without the API: it is asked again after so long. */
const LOOK_AGAIN_MS = 10_000;
const STEP_AGAIN_MS = 1_000;
/** For so long the service for writes may lead elsewhere before that is told. */
const ASTRAY_MS = 5_000;
/** Of an error's details. */
const STEP_FAILED = "isOfStep";

/**
 * @returns null when there is no such cluster.
 * @throws UnderstudyError KUBERNETES_*, STORE_UNAVAILABLE, RECORD_*.
 */
export async function pass(
  options: PassOptions,
  of: { place: ClusterPlace; memory: ObjectMemory; signal: AbortSignal },
): Promise<Again> {
  const { api } = options;
  const { place, memory, signal } = of;
  const object = await api.get<ClusterObject>(POSTGRES_CLUSTER, place, { signal });
  // What goes with it Kubernetes deletes by its owner, and the rest stays.
  if (object === null || object.metadata.deletionTimestamp !== undefined) return null;
  const reading = await readObjects(api, { place, kinds: options.kinds }, signal);
  const { cluster, objections, isFounded } = wantedOf(object, { reading, check: options.check });
  const before = object.status ?? null;
  const at = now();
  if (cluster === null) {
    const after = refusedStatus(objections, { object, before, at });
    await tell(options, { object, before, after, signal });
    return { inMs: LOOK_AGAIN_MS };
  }
  const claims = memberVolumes(cluster).flatMap(({ data, wal }) =>
    [data, ...(wal === null ? [] : [wal])].map(({ claim }) => claim),
  );
  const { volumes, missing } = await readVolumes(api, { ...place, claims }, signal);
  await using store = new KubernetesStore({ api, ...lease(cluster) });
  const record = await withPolicy(store, cluster);
  const certificates = await keepCertificates({
    api,
    cluster,
    surroundings: options.surroundings,
    now: new Date(),
    signal,
  });
  const { trusted } = certificates;
  const { answers, summary } = await askMembers(options.agents, { record, trusted, signal });
  const facts: Facts = { cluster, reading, volumes, record, answers, summary };
  const { acceptSharedFate } = cluster.spec;
  const fate = judge(memberPlaces(facts), { acceptSharedFate });
  const kept = await keepObjects({
    api,
    cluster,
    objects: objectsOf(facts, { ...certificates, fate, surroundings: options.surroundings }),
    reading,
    memory,
    hasData: (record?.systemId ?? null) !== null,
    mayBegin: !certificates.hasForeign,
    signal,
  });
  const troubles = [
    ...lostOf({ cluster, record, answers, before }),
    ...(await readTroubles(api, facts, signal)),
  ];
  const step = options.handovers.hold(keyOf(place), { step: chooseStep(facts) });
  const after = statusOf(
    {
      cluster,
      summary,
      objections: [
        ...objections,
        ...missingClaims(cluster, missing),
        ...certificates.objections,
        ...kept.objections,
      ],
      fate,
      troubles,
      rollout: toldAs(step),
      astray: astrayLong(facts, memory),
      nodes: nodesOf(cluster, reading),
    },
    { before, at },
  );
  await tell(options, { object, before, after, signal });
  const made = [...certificates.made, ...kept.made];
  await tellMade(options, { object, made, isFounded, signal });
  await tellRenewed(options, { object, renewed: certificates.renewed, signal });
  const token = tokenIn(memory, cluster.name);
  const doing = { api, agents: options.agents, store, token, trusted, facts, signal };
  const done = await perform(doing, step).catch((thrown: unknown) =>
    handoverFailed(options, { place, step, thrown, signal }),
  );
  if (done === null) return { inMs: LOOK_AGAIN_MS };
  await tellEvent(options, { object, event: done, signal });
  return { inMs: STEP_AGAIN_MS };
}

/**
 * What its primary refuses or undoes is no failure of the pass. @throws what was thrown of any
 * other step, and a mistake of ours.
 */
function handoverFailed(
  { handovers }: PassOptions,
  of: { place: ClusterPlace; step: Step; thrown: unknown; signal: AbortSignal },
): EventText {
  const { place, step, thrown, signal } = of;
  if (step.kind !== "switchover" || signal.aborted || !(thrown instanceof UnderstudyError))
    throw stepFailure(thrown);
  const note = handovers.failed(keyOf(place), { ...step, thrown });
  return { type: "Warning", reason: "HandOverFailed", note };
}

function keyOf({ namespace, name }: ClusterPlace): string {
  return `${namespace}/${name}`;
}

/** After a takeover the leader's agent brings the service to itself: that is waited for. */
function astrayLong({ cluster, reading, record }: Facts, memory: ObjectMemory): string | null {
  const service = serviceName(cluster.name, "write");
  const slice = reading.present.get(`EndpointSlice ${service}`) ?? null;
  const astray = serviceAstray({ service, slice, record });
  memory.astraySinceMs = astray === null ? null : (memory.astraySinceMs ?? performance.now());
  const { astraySinceMs: sinceMs } = memory;
  return sinceMs !== null && performance.now() - sinceMs >= ASTRAY_MS ? astray : null;
}

/** That a pass could not be made is a condition too, as far as that can be written. */
export async function tellTrouble(
  options: PassOptions,
  of: { place: ClusterPlace; thrown: unknown; signal: AbortSignal },
): Promise<void> {
  const { api } = options;
  const { place, thrown, signal } = of;
  const object = await api.get<ClusterObject>(POSTGRES_CLUSTER, place, { signal });
  if (object === null || object.metadata.deletionTimestamp !== undefined) return;
  const before = object.status ?? null;
  const code = thrown instanceof UnderstudyError ? thrown.code : "INTERNAL";
  const remedy = thrown instanceof UnderstudyError ? ` ${thrown.hint}` : "";
  const message = `it is tried again: ${messageOf(thrown)}.${remedy}`;
  const hasLooked = thrown instanceof UnderstudyError && thrown.details[STEP_FAILED] === true;
  const after = troubledStatus({ code, message, hasLooked }, { object, before, at: now() });
  await tell(options, { object, before, after, signal });
}

/** What was found is told already then: only what was to be done is not. */
function stepFailure(thrown: unknown): unknown {
  if (!(thrown instanceof UnderstudyError)) return thrown;
  const { code, message, hint, details } = thrown;
  return new UnderstudyError(code, message, {
    cause: thrown,
    hint,
    details: { ...details, [STEP_FAILED]: true },
  });
}

/** Of members that would share what they must not, none is begun; those that run go on. */
function objectsOf(
  { cluster, reading }: Facts,
  of: { fate: Verdict; trusted: string | null; surroundings: Surroundings },
): ClusterObjects {
  const { fate } = of;
  const { founded, applied } = clusterObjects(cluster, { ...of, passwords: drawn() });
  const mayBegin = (each: Manifest) =>
    fate.kind !== "refused" || each.kind !== "StatefulSet" || reading.present.has(objectKey(each));
  return {
    founded,
    applied: applied.filter(mayBegin).map((each) => withAccepted(each, cluster)),
  };
}

function withAccepted(object: Manifest, { name, spec }: PostgresCluster): Manifest {
  if (object.kind !== "ConfigMap" || object.metadata.name !== specificationName(name))
    return object;
  const annotations = { [ACCEPTED_ANNOTATION]: JSON.stringify(spec) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** The specification's word on synchronous replication is the record's. */
async function withPolicy(store: Store, cluster: PostgresCluster): Promise<ClusterRecord | null> {
  const record = (await store.read())?.record ?? null;
  const { sync } = cluster.spec;
  if (record === null || setSyncPolicy(record, sync) === null) return record;
  const changed = await changeRecord(store, (current) => setSyncPolicy(current, sync));
  return changed?.record ?? record;
}

function missingClaims({ namespace }: PostgresCluster, missing: readonly string[]): string[] {
  return missing.map(
    (claim) =>
      `the claim ${claim} does not exist in ${namespace}: create it, or name another; its member waits for it`,
  );
}

async function tell(
  options: PassOptions,
  of: {
    object: ClusterObject;
    before: PostgresClusterStatus | null;
    after: PostgresClusterStatus;
    signal: AbortSignal;
  },
): Promise<void> {
  const { object, before, after, signal } = of;
  const patch = statusPatch(before, { after });
  if (patch === null) return;
  const { name, namespace = "" } = object.metadata;
  const place = { name, namespace, subresource: "status" } as const;
  await options.api.patch(POSTGRES_CLUSTER, { place, patch }, { signal });
  for (const event of eventsBetween(before, { after }))
    await tellEvent(options, { object, event, signal });
}

/** What was not there in a cluster that had been made is told; of a new one, that it is made. */
async function tellMade(
  options: PassOptions,
  of: {
    object: ClusterObject;
    made: readonly string[];
    isFounded: boolean;
    signal: AbortSignal;
  },
): Promise<void> {
  const { object, made, isFounded, signal } = of;
  if (made.length === 0) return;
  const event: EventText = isFounded
    ? { type: "Normal", reason: "Made", note: `made, as it was not there: ${made.join(", ")}` }
    : { type: "Normal", reason: "Founding", note: `${made.length} objects were made for it` };
  await tellEvent(options, { object, event, signal });
}

async function tellRenewed(
  options: PassOptions,
  of: { object: ClusterObject; renewed: readonly string[]; signal: AbortSignal },
): Promise<void> {
  const { object, renewed, signal } = of;
  if (renewed.length === 0) return;
  const note = `certificates were issued anew, and are taken up without a restart: ${renewed.join(", ")}`;
  await tellEvent(options, {
    object,
    event: { type: "Normal", reason: "CertificatesRenewed", note },
    signal,
  });
}

/** Whoever reads events sees what happened; that one is lost stops nothing. */
async function tellEvent(
  options: PassOptions,
  of: { object: ClusterObject; event: EventText; signal: AbortSignal },
): Promise<void> {
  const { object, event, signal } = of;
  const { name, namespace = "" } = object.metadata;
  options.onEvent(event, { name, namespace });
  const regarding = { ...POSTGRES_CLUSTER, metadata: object.metadata };
  const told = eventObject(event, { regarding, instance: options.instance, at: new Date() });
  await options.api.create(EVENT, told, { signal }).catch((thrown: unknown) => {
    if (!(thrown instanceof UnderstudyError)) throw thrown;
  });
}

function lease(cluster: PostgresCluster) {
  const { namespace, name } = cluster;
  return { namespace, cluster: name, labels: clusterLabels(cluster) };
}

function tokenIn(memory: ObjectMemory, cluster: string): Secret | null {
  const secret = memory.secrets.get(`Secret ${secretName(cluster, "agents")}`);
  const text: unknown = Object(Object(secret)["data"])["token"];
  return typeof text === "string" ? new Secret(Buffer.from(text, "base64").toString("utf8")) : null;
}

/** Used where there are none yet, and forgotten else. */
export function drawn(): ClusterPasswords {
  return { superuser: fresh(), application: fresh(), replication: fresh(), apiToken: fresh() };
}

function fresh(): Secret {
  return new Secret(randomBytes(24).toString("base64url"));
}

/** To the second, as the API writes it. */
function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}
