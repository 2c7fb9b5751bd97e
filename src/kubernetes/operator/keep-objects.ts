// Makes a cluster's objects what they are to be, and writes nothing where they are. What is found
// of one object does not keep the others from being made.
import { UnderstudyError } from "../../core/errors.ts";
import type { KubernetesApi } from "../../kubernetes-api/api.ts";
import { kindOfObject } from "../../kubernetes-api/kinds.ts";
import type { KubernetesObject, OwnerReference } from "../../kubernetes-api/resource.ts";
import { objectKey, type ClusterObjects } from "../objects/cluster-objects.ts";
import { textIn } from "../certificates/certificate-secrets.ts";
import type { Manifest } from "../objects/manifest.ts";
import { keptClaim } from "../objects/volumes.ts";
import { TRUSTED_KEY } from "../objects/secrets.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { contentDigest, covers, digest } from "./covers.ts";
import { foreignObject, isOfCluster } from "./foreign.ts";
import type { Reading } from "./reading.ts";

/** Of what an object was applied last, so that a field that is wanted no more is noticed. */
const APPLIED_ANNOTATION = "understudy.dev/applied";

/** What is known of a cluster's objects from pass to pass; nothing depends on its being kept. */
export interface ObjectMemory {
  /**
   * By objectKey: what became of what was applied, where the server writes it in another way.
   */
  readonly applied: Map<string, { mark: string; content: string }>;
  /** A Secret that is deleted is made again with the same passwords, while this is remembered. */
  readonly secrets: Map<string, KubernetesObject>;
  /** Since when the service for writes leads elsewhere, on the clock of `performance`. */
  astraySinceMs?: number | null;
}

export interface Kept {
  /** By objectKey: made, because they were not there. */
  readonly made: readonly string[];
  /** One sentence for each that could not be. */
  readonly objections: readonly string[];
}

export interface Keeping {
  readonly api: KubernetesApi;
  readonly cluster: PostgresCluster;
  readonly objects: ClusterObjects;
  readonly reading: Reading;
  readonly memory: ObjectMemory;
  /** Whether the data is there: its passwords are then not to be drawn anew. */
  readonly hasData: boolean;
  /** Whether a member that is not there may be made. */
  readonly mayBegin: boolean;
  readonly signal: AbortSignal;
}

/** @throws UnderstudyError KUBERNETES_*, but for what the API refuses of one object. */
export async function keepObjects(keeping: Keeping): Promise<Kept> {
  const made: string[] = [];
  const objections: string[] = [];
  const { founded, applied } = keeping.objects;
  const steps = [
    ...founded.map((object) => ({ object, keep: () => found(keeping, object) })),
    ...applied.map((object) => ({ object, keep: () => apply(keeping, object) })),
  ];
  const left = claimsOfThoseWhoLeft(keeping);
  steps.push(...left.map((of) => ({ object: of.object, keep: () => keepOwner(keeping, of) })));
  let { mayBegin } = keeping;
  for (const { object, keep } of steps) {
    // They come last: a pod would use what is another's.
    if (!mayBegin && isBeginning(keeping, object)) continue;
    const outcome = await keep().catch(refusalOf);
    if (outcome.made !== undefined) made.push(outcome.made);
    if (outcome.objection !== undefined) objections.push(outcome.objection);
    if (outcome.isForeign === true) mayBegin = false;
  }
  return { made, objections };
}

/** They are kept as `deletionPolicy` says now, and not as it said while their members were here. */
function claimsOfThoseWhoLeft({ cluster, objects, reading }: Keeping) {
  const wanted = new Set(objects.applied.map(objectKey));
  return (
    [...reading.present.values()]
      .filter((live) => live.kind === "PersistentVolumeClaim" && !wanted.has(objectKey(live)))
      .map((live) => ({ live, object: keptClaim(cluster, live.metadata.name) }))
      // A person's own, which he has labelled, is nobody else's.
      .filter(({ live, object }) => covers(live.metadata.labels, object.metadata.labels))
  );
}

interface Outcome {
  readonly made?: string;
  readonly objection?: string;
  readonly isForeign?: boolean;
}

function isBeginning({ reading }: Keeping, object: Manifest): boolean {
  return object.kind === "StatefulSet" && !reading.present.has(objectKey(object));
}

function refusalOf(thrown: unknown): Outcome {
  if (thrown instanceof UnderstudyError && thrown.code === "KUBERNETES_REFUSED")
    return { objection: thrown.message };
  throw thrown;
}

async function found(keeping: Keeping, object: Manifest): Promise<Outcome> {
  const { api, memory, reading, signal } = keeping;
  const key = objectKey(object);
  const kind = kindOfObject(object);
  const isSecret = object.kind === "Secret";
  const live = reading.present.get(key) ?? (await api.get(kind, placeOf(object), { signal }));
  if (live !== null) {
    if (!isOfCluster(live, keeping.cluster)) return foreign(keeping, object);
    if (isSecret) {
      memory.secrets.set(key, live);
      await keepTrusted(keeping, { object, live });
    }
    await keepFrame(keeping, { object, live });
    return keepOwner(keeping, { object, live });
  }
  const remembered = isSecret ? memory.secrets.get(key) : undefined;
  if (isSecret && remembered === undefined && keeping.hasData)
    return {
      objection: `${key} is not there, and the passwords in the data are not known without it: restore it from a copy`,
    };
  const again = remembered === undefined ? object : withDataOf(object, remembered);
  const created = await api.create(kind, again, { signal });
  if (created.kind === "other") return {};
  if (isSecret) memory.secrets.set(key, created.object);
  return { made: key };
}

/**
 * An agent may write its services' EndpointSlices, and so could whoever has its token: whose they
 * are, and to which port they lead, is not the agents' to say.
 */
async function keepFrame(
  { api, signal }: Keeping,
  of: { object: Manifest; live: KubernetesObject },
): Promise<void> {
  const { ports, metadata } = of.object;
  const { labels } = metadata;
  const frame = { metadata: { labels }, ...(ports === undefined ? {} : { ports }) };
  if (covers(of.live, frame)) return;
  await api.patch(kindOfObject(of.object), { place: placeOf(of.object), patch: frame }, { signal });
}

/** Who vouches for the servers changes; a Secret without logins does not say it. */
async function keepTrusted(
  { api, signal }: Keeping,
  of: { object: Manifest; live: KubernetesObject },
): Promise<void> {
  const wanted: unknown = Object(of.object["stringData"])[TRUSTED_KEY];
  if (typeof wanted !== "string" || textIn(of.live, TRUSTED_KEY) === wanted) return;
  const patch = { stringData: { [TRUSTED_KEY]: wanted } };
  await api.patch(kindOfObject(of.object), { place: placeOf(of.object), patch }, { signal });
}

/** `deletionPolicy` may change: it says whether these go with the cluster's object. */
export async function keepOwner(
  { api, cluster, signal }: Pick<Keeping, "api" | "cluster" | "signal">,
  of: { object: Manifest; live: KubernetesObject },
): Promise<Outcome> {
  const isOwn = ({ uid }: OwnerReference) => uid === cluster.uid;
  const wanted = (of.object.metadata.ownerReferences ?? []).filter(isOwn);
  const present = of.live.metadata.ownerReferences ?? [];
  if (present.some(isOwn) === wanted.length > 0) return {};
  const ownerReferences = [...present.filter((each) => !isOwn(each)), ...wanted];
  const place = placeOf(of.object);
  await api.patch(
    kindOfObject(of.object),
    { place, patch: { metadata: { ownerReferences } } },
    { signal },
  );
  return {};
}

async function apply(keeping: Keeping, object: Manifest): Promise<Outcome> {
  const { api, reading, memory, signal } = keeping;
  const key = objectKey(object);
  const mark = digest(object);
  const live = reading.present.get(key);
  if (live !== undefined && isApplied(live, { object, mark, memory })) return {};
  // What bears no label of the cluster is not listed with its objects.
  const unlisted =
    live === undefined ? await api.get(kindOfObject(object), placeOf(object), { signal }) : null;
  if (unlisted !== null && !isOfCluster(unlisted, keeping.cluster)) return foreign(keeping, object);
  const annotations = { ...object.metadata.annotations, [APPLIED_ANNOTATION]: mark };
  const marked = { ...object, metadata: { ...object.metadata, annotations } };
  const answer = await api.apply(kindOfObject(object), marked, { force: true, signal });
  if (answer.kind === "other") return { objection: answer.why };
  memory.applied.set(key, { mark, content: contentDigest(answer.object) });
  return live === undefined ? { made: key } : {};
}

function foreign({ cluster }: Keeping, object: Manifest): Outcome {
  return { objection: foreignObject(object, cluster), isForeign: true };
}

function isApplied(
  live: KubernetesObject,
  of: { object: Manifest; mark: string; memory: ObjectMemory },
): boolean {
  if (live.metadata.annotations?.[APPLIED_ANNOTATION] !== of.mark) return false;
  if (covers(live, of.object)) return true;
  const last = of.memory.applied.get(objectKey(of.object));
  return last?.mark === of.mark && last.content === contentDigest(live);
}

function withDataOf(object: Manifest, remembered: KubernetesObject): Manifest {
  const { stringData: _drawn, ...rest } = object;
  return { ...rest, data: Object(remembered)["data"] };
}

function placeOf({ metadata }: Manifest): { name: string; namespace: string } {
  const { name, namespace = "" } = metadata;
  return { name, namespace };
}
