// Objects of the Kubernetes API, as far as every one of them is alike, and the paths that they have
// there.

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  /** Opaque; changes with every write of the object. */
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly deletionTimestamp?: string;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Whatever else it has depends on its kind. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** One kind in one version. */
export interface ResourceKind {
  readonly apiVersion: string;
  readonly kind: string;
  /** As it stands in paths. */
  readonly plural: string;
  /** Of the whole Kubernetes cluster, in no namespace. */
  readonly isClusterWide?: true;
}

/** Where an object, or all objects of a kind, are; no namespace: of all namespaces. */
export interface ResourcePlace {
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: "status" | "scale";
}

/** "/apis/apps/v1/namespaces/shop/statefulsets/izdb-1". */
export function resourcePath(kind: ResourceKind, place: ResourcePlace): string {
  const { namespace, name, subresource } = place;
  const within =
    kind.isClusterWide === true || namespace === undefined ? [] : ["namespaces", namespace];
  const object = name === undefined ? [] : [name, ...(subresource ? [subresource] : [])];
  const parts = [...within, kind.plural, ...object].map((part) => encodeURIComponent(part));
  return [versionPath(kind.apiVersion), ...parts].join("/");
}

/** The core group, which has no name, is older than the others and lies apart. */
export function versionPath(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** For people: "Lease shop/izdb", "Lease in shop". */
export function describePlace(kind: ResourceKind, { namespace, name }: ResourcePlace): string {
  if (name === undefined)
    return namespace === undefined ? `every ${kind.kind}` : `each ${kind.kind} in ${namespace}`;
  return `${kind.kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** Of an object, or of a part of it that is written apart. */
export function placeOf(
  { metadata }: KubernetesObject,
  subresource: "status" | undefined,
): ResourcePlace & { readonly name: string } {
  const { name, namespace } = metadata;
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

/** Of a list or a watch. */
export function queryOf(of: {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}): Record<string, string> {
  const { labelSelector, fieldSelector } = of;
  return {
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}
