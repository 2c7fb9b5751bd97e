// The custom resource definition: what the Kubernetes API is told of PostgresClusters.
import { POSTGRES_CLUSTER } from "../../kubernetes-api/kinds.ts";
import { specSchema } from "./cluster-schema.ts";
import { statusSchema } from "./status-schema.ts";
import { structuralSchema, type StructuralSchema } from "./structural.ts";

/**
 * Longer names would make names of objects that Kubernetes does not take (core/name.ts). Of the
 * metadata a definition may restrict the name and nothing else.
 */
const NAME: StructuralSchema = {
  type: "string",
  maxLength: 40,
  pattern: "^[a-z]([-a-z0-9]*[a-z0-9])?$",
};

const COLUMNS = [
  column("Ready", { path: ".status.ready" }),
  column("Primary", { path: ".status.currentPrimary" }),
  column("Status", { path: ".status.phase" }),
  column("Lag", { path: ".status.lag" }),
  column("Version", { path: ".status.version" }),
  column("Age", { path: ".metadata.creationTimestamp", type: "date" }),
  column("Sync", { path: ".status.sync", isWide: true }),
  column("Timeline", { path: ".status.timeline", type: "integer", isWide: true }),
  column("Image", { path: ".spec.postgres.image", isWide: true }),
];

/**
 * An object of apiextensions.k8s.io/v1, as data.
 * @param server.hasRules whether the server knows rules in CEL (Kubernetes 1.25 and later): an
 * older one refuses a definition that is applied with them. Whoever reads a PostgresCluster checks
 * them all the same.
 */
export function customResourceDefinition(server: { readonly hasRules: boolean }) {
  const [group = "", version = ""] = POSTGRES_CLUSTER.apiVersion.split("/");
  const { kind, plural } = POSTGRES_CLUSTER;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: ["pgc"],
        categories: ["all", "understudy"],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: server.hasRules ? rootSchema() : withoutRules(rootSchema()) },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.standbys",
              statusReplicasPath: ".status.standbys",
              labelSelectorPath: ".status.selector",
            },
          },
          additionalPrinterColumns: COLUMNS,
        },
      ],
    },
  };
}

function rootSchema(): StructuralSchema {
  return {
    type: "object",
    description:
      "A PostgreSQL primary and its standbys, which stream from it and take its place when it fails.",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object", properties: { name: NAME } },
      spec: structuralSchema(specSchema),
      status: structuralSchema(statusSchema),
    },
  };
}

/** At whatever depth. */
function withoutRules<T>(value: T): T {
  const text = JSON.stringify(value, (key, each: unknown) =>
    key === "x-kubernetes-validations" ? undefined : each,
  );
  return JSON.parse(text);
}

function column(name: string, of: { path: string; type?: string; isWide?: boolean }) {
  const { path, type = "string", isWide = false } = of;
  return { name, type, jsonPath: path, ...(isWide ? { priority: 1 } : {}) };
}
