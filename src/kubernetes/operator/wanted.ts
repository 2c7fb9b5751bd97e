// What a cluster is to be: its specification where that can be done, else the last one that could,
// with what stands in the way of the new one. Pure.
import { UnderstudyError } from "../../core/errors.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { objectKey } from "../objects/cluster-objects.ts";
import { CLUSTER_LABEL, specificationName } from "../objects/names.ts";
import { objectionsToMoves } from "../objects/moved-volumes.ts";
import { memberVolumes } from "../objects/volumes.ts";
import { isWithin } from "../resource/cluster-schema.ts";
import {
  engineSpecification,
  objectionsToChange,
  readPostgresCluster,
  type PostgresCluster,
} from "../resource/postgres-cluster.ts";
import type { Reading } from "./reading.ts";

/** Of the ConfigMap: the specification that its objects were made from last. */
export const ACCEPTED_ANNOTATION = "understudy.dev/accepted";

export interface Wanted {
  /** Null: nothing of it can be made. */
  readonly cluster: PostgresCluster | null;
  /** One sentence with its remedy for each thing that cannot be done. */
  readonly objections: readonly string[];
  /** Whether objects were made before. */
  readonly isFounded: boolean;
}

/** Of PostgreSQL's parameters, by name: one sentence for each that cannot be set. */
export type ParameterCheck = (parameters: Readonly<Record<string, string>>) => readonly string[];

export function wantedOf(
  object: KubernetesObject,
  { reading, check }: { reading: Reading; check: ParameterCheck },
): Wanted {
  const former = formerOf(object, reading);
  const asked = askedOf(object, check);
  const isFounded = former !== null;
  if ("objections" in asked) return { cluster: former, objections: asked.objections, isFounded };
  const { cluster } = asked;
  const objections = [
    ...(former === null ? [] : objectionsToChange(former, cluster)),
    ...(former === null ? [] : objectionsToMoves(former, { to: cluster })),
    ...takenPlaces(cluster, reading.statefulSets),
  ];
  return { cluster: objections.length === 0 ? cluster : former, objections, isFounded };
}

function askedOf(
  object: KubernetesObject,
  check: ParameterCheck,
): { cluster: PostgresCluster } | { objections: readonly string[] } {
  try {
    const cluster = readPostgresCluster(object);
    const { parameters } = engineSpecification(cluster).spec.postgres;
    const objections = check(parameters);
    return objections.length === 0 ? { cluster } : { objections };
  } catch (thrown) {
    if (!(thrown instanceof UnderstudyError)) throw thrown;
    const { problems } = thrown.details;
    return { objections: isTexts(problems) ? problems : [thrown.message] };
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0;
}

/** With the object's present name, owner and generation. Null where there was none. */
function formerOf(object: KubernetesObject, { present }: Reading): PostgresCluster | null {
  const { name } = object.metadata;
  const configMap = present.get(
    objectKey({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: specificationName(name) } }),
  );
  const text = configMap?.metadata.annotations?.[ACCEPTED_ANNOTATION];
  if (text === undefined) return null;
  try {
    return readPostgresCluster({ ...object, spec: JSON.parse(text) });
  } catch {
    // By an older or a newer operator, or by somebody's hand: as if it were not there.
    return null;
  }
}

/** Two servers on one directory destroy it: whoever has it first keeps it. */
export function takenPlaces(
  cluster: PostgresCluster,
  statefulSets: readonly KubernetesObject[],
): string[] {
  const others = statefulSets.filter(
    ({ metadata }) => metadata.labels?.[CLUSTER_LABEL] !== cluster.name,
  );
  const taken = others.flatMap((set) => placesOf(set).map((place) => ({ place, set })));
  return memberVolumes(cluster).flatMap(({ member, data, wal }) =>
    [data, ...(wal === null ? [] : [wal])].flatMap((own) => {
      const found = taken.find(
        ({ place }) => isWithin(own, { place }) || isWithin(place, { place: own }),
      );
      if (found === undefined) return [];
      const { name, labels } = found.set.metadata;
      const where = own.subPath === "" ? own.claim : `${own.subPath} in the claim ${own.claim}`;
      return [
        `${member} cannot have its data in ${where}: ${name} of the cluster ${labels?.[CLUSTER_LABEL]} has its own there; name another claim or subPath`,
      ];
    }),
  );
}

function placesOf(set: KubernetesObject): { claim: string; subPath: string }[] {
  const pod = Object(Object(Object(set)["spec"])["template"])["spec"];
  const mounts = listOf(Object(pod)["containers"]).flatMap((each) =>
    listOf(Object(each)["volumeMounts"]),
  );
  return listOf(Object(pod)["volumes"]).flatMap((volume) => {
    const { name, persistentVolumeClaim } = Object(volume);
    if (persistentVolumeClaim === undefined) return [];
    const claim = String(persistentVolumeClaim.claimName);
    return mounts
      .filter((mount) => Object(mount).name === name)
      .map((mount) => ({ claim, subPath: String(Object(mount).subPath ?? "") }));
  });
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
