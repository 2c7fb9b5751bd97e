// What a PostgresCluster may say, field by field: the one description of it. The definition's
// schema (crd.ts), the reference in docs and the checks of what people write are all made of this.
import * as v from "valibot";
import { MAX_STANDBYS, SUPPORTED_MAJORS } from "../../core/spec.ts";
import {
  choice,
  fields,
  intOrString,
  rule,
  text,
  unchanging,
  wholeNumber,
  yesOrNo,
} from "./field.ts";

const OLDEST = Math.min(...SUPPORTED_MAJORS);
const NEWEST = Math.max(...SUPPORTED_MAJORS);
/** A label of the DNS, as names of claims, classes and secrets are made of. */
const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const SIZE = /^[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$/;
const BYTES = /^[0-9]+(\.[0-9]{1,3})? ?([kKMGT]?i?B)?$/;
const CIDR =
  /^(([0-9]{1,3}[.]){3}[0-9]{1,3}\/([0-9]|[12][0-9]|3[0-2])|[0-9a-fA-F.]*:[0-9a-fA-F.:]*\/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$/;

const claimName = text("An existing PersistentVolumeClaim of the same namespace.", {
  looksLike: "the name of a claim",
  pattern: NAME,
});
const placeInClaim = v.optional(
  v.pipe(
    v.string((issue) => `it must be a path within the claim, not ${issue.received}`),
    rule<string>({
      cel: "self == '' || !self.matches('(^|/)[.]{0,2}(/|$)')",
      message: 'it must be a path within the claim: no "/" at its ends, no "." or ".." in it',
      holds: (path) => path === "" || !/(^|\/)[.]{0,2}(\/|$)/.test(path),
    }),
    v.maxLength(256, "it must have 256 characters at most"),
    v.description("A directory of the claim's volume; the whole volume where nothing is said."),
  ),
  "",
);
const size = (about: string) => text(about, { looksLike: "a size such as 10Gi", pattern: SIZE });
const storageClass = v.optional(
  v.pipe(
    text("Of the volumes; the namespace's default where nothing is said.", {
      looksLike: "the name of a StorageClass",
      pattern: NAME,
    }),
    unchanging<string>(
      "the volumes that there are stay in the storage class in which they were made",
    ),
  ),
);

const postgres = v.pipe(
  fields({
    image: text("Any PostgreSQL image, unmodified: the agent is brought along.", {
      looksLike: "an image such as postgres:18",
      pattern: /^[^\s]+$/,
      maxLength: 512,
    }),
    major: v.optional(
      wholeNumber("PostgreSQL's major version; read from the image's tag where nothing is said.", {
        from: OLDEST,
        to: NEWEST,
      }),
    ),
    parameters: v.optional(
      v.pipe(
        v.record(v.string(), intOrString()),
        v.maxEntries(300, "it must have 300 parameters at most"),
        v.description(
          "PostgreSQL's own parameters, by name; those that Understudy sets are refused.",
        ),
      ),
      {},
    ),
    preload: v.optional(
      v.pipe(
        v.array(text("A library.", { looksLike: "the name of a library" })),
        v.maxLength(50, "it must name 50 libraries at most"),
        v.description("Libraries for shared_preload_libraries, in order."),
      ),
      [],
    ),
    locale: v.optional(
      v.pipe(
        text("Of the databases.", { looksLike: "a locale such as C.UTF-8" }),
        unchanging<string>("the locale of databases that there are cannot be changed"),
      ),
      "C.UTF-8",
    ),
    uid: v.optional(
      wholeNumber(
        "The user that PostgreSQL runs as and that owns its data; 70 for Alpine images, else 999, where nothing is said.",
        { from: 1, to: 2_147_483_647 },
      ),
    ),
    pullPolicy: v.optional(choice("As of a container.", ["Always", "IfNotPresent", "Never"])),
    pullSecrets: v.optional(
      v.pipe(
        v.array(text("A Secret.", { looksLike: "the name of a Secret", pattern: NAME })),
        v.maxLength(10, "it must name 10 Secrets at most"),
        v.description("Secrets with which the image is pulled."),
      ),
      [],
    ),
  }),
  v.description("Which PostgreSQL, and how it is set."),
);

const storage = v.pipe(
  fields({
    size: size("Of each member's volume."),
    storageClass,
    accessMode: v.optional(
      choice("ReadWriteOncePod, where the storage has it, lets no second pod onto the data.", [
        "ReadWriteOnce",
        "ReadWriteOncePod",
      ]),
      "ReadWriteOnce",
    ),
    wal: v.optional(
      v.pipe(
        fields({ size: size("Of each member's WAL volume."), storageClass }),
        v.description("A volume of its own for each member's WAL."),
      ),
    ),
  }),
  v.description("A new volume for each member. Either this, or members."),
);

const claimedVolume = { claim: claimName, subPath: placeInClaim };

const claimedMember = v.pipe(
  fields({
    ...claimedVolume,
    wal: v.optional(
      v.pipe(fields(claimedVolume), v.description("Where its WAL is, if not with its data.")),
    ),
  }),
  v.description("One member's volume."),
);

const members = v.pipe(
  v.array(claimedMember),
  v.minLength(1, "it must name the claim of one member at least"),
  v.maxLength(MAX_STANDBYS + 1, `it must name ${MAX_STANDBYS + 1} claims at most`),
  v.description(
    "Existing claims, one for each member: the first makes the data. Either this, or storage.",
  ),
  rule<v.InferOutput<typeof claimedMember>[]>({
    cel: "self.all(a, self.exists_one(b, a.claim == b.claim && (!has(b.subPath) || b.subPath == '' || (has(a.subPath) && (a.subPath == b.subPath || a.subPath.startsWith(b.subPath + '/'))))))",
    message: "two members must not have their data in one place, nor one within the other's",
    holds: (list) => {
      const places = list.flatMap(({ wal, ...data }) => (wal === undefined ? [data] : [data, wal]));
      return places.every(
        (each) => places.filter((place) => isWithin(each, { place })).length === 1,
      );
    },
  }),
);

interface Place {
  readonly claim: string;
  readonly subPath: string;
}

/** Also within itself. */
export function isWithin(inner: Place, of: { place: Place }): boolean {
  const { claim, subPath } = of.place;
  if (inner.claim !== claim) return false;
  return subPath === "" || inner.subPath === subPath || inner.subPath.startsWith(`${subPath}/`);
}

const sync = v.pipe(
  fields({
    mode: v.optional(
      choice("On: a commit is acknowledged when standbys have it, so no failover loses it.", [
        "on",
        "off",
      ]),
      "off",
    ),
    required: v.optional(
      wholeNumber("On how many standbys a commit has to be.", { from: 1, to: MAX_STANDBYS }),
      1,
    ),
    whenUnavailable: v.optional(
      choice("When fewer stream: commits wait (block), or go on with those that there are.", [
        "block",
        "degrade",
      ]),
      "block",
    ),
  }),
  v.description("Synchronous replication."),
);

const serviceFields = {
  type: v.optional(
    choice("As of a Service.", ["ClusterIP", "NodePort", "LoadBalancer"]),
    "ClusterIP",
  ),
  port: v.optional(wholeNumber("Of the Service.", { from: 1, to: 65_535 }), 5432),
  nodePort: v.optional(
    wholeNumber("Stays the same; chosen by Kubernetes where nothing is said.", {
      from: 1,
      to: 65_535,
    }),
  ),
  annotations: v.optional(
    v.pipe(v.record(v.string(), v.string()), v.description("As load balancers want them.")),
    {},
  ),
};

function nodePortRule<T extends { type: string; nodePort?: number | undefined }>() {
  return rule<T>({
    cel: "!has(self.nodePort) || self.type != 'ClusterIP'",
    message: "a nodePort needs the type NodePort or LoadBalancer",
    holds: ({ type, nodePort }) => nodePort === undefined || type !== "ClusterIP",
  });
}

function service(about: string) {
  return v.optional(v.pipe(fields(serviceFields), v.description(about), nodePortRule()), {});
}

const services = v.pipe(
  fields({
    write: service("Leads to the primary."),
    read: v.optional(
      v.pipe(
        fields({
          ...serviceFields,
          maxLag: v.optional(
            text("A standby that has replayed less is left out; it may still be promoted.", {
              looksLike: "a size such as 16MB",
              pattern: BYTES,
            }),
          ),
        }),
        v.description("Leads to the standbys, and to the primary where there is none."),
        nodePortRule(),
      ),
      {},
    ),
    any: service("Leads to every member that takes connections."),
  }),
  v.description("Where applications connect."),
);

const access = v.pipe(
  v.array(
    v.pipe(
      fields({
        cidr: v.optional(
          v.pipe(
            text("Addresses.", { looksLike: "like 10.0.0.0/8", pattern: CIDR }),
            rule<string>({
              cel: "!self.endsWith('/0')",
              message:
                "the whole world is never let in: name the networks that applications come from",
              holds: (cidr) => !cidr.endsWith("/0"),
            }),
          ),
        ),
        namespace: v.optional(
          text("Every pod of it.", { looksLike: "the name of a namespace", pattern: NAME }),
        ),
      }),
      v.description("Either addresses or a namespace."),
      rule<{ cidr?: string | undefined; namespace?: string | undefined }>({
        // A word of CEL's own has to be written so where it is a field.
        cel: "has(self.cidr) != has(self.__namespace__)",
        message: "give either cidr or namespace",
        holds: ({ cidr, namespace }) => (cidr === undefined) !== (namespace === undefined),
      }),
    ),
  ),
  v.maxLength(50, "it must have 50 entries at most"),
  v.description(
    "Who may connect to PostgreSQL beside the pods of the namespace. Where nothing is said, a NodePort or LoadBalancer is open to everybody who has a password. A LoadBalancer keeps out whom no cidr here names; behind a NodePort PostgreSQL often sees a node's address in the client's place, so there it takes a firewall.",
  ),
);

const amounts = v.optional(
  v.pipe(
    v.record(v.string(), intOrString()),
    v.maxEntries(20, "it must have 20 entries at most"),
    v.description("By resource: cpu, memory, …"),
  ),
);

const toleration = fields({
  key: v.optional(v.string()),
  operator: v.optional(v.string()),
  value: v.optional(v.string()),
  effect: v.optional(v.string()),
  tolerationSeconds: v.optional(v.pipe(v.number(), v.integer())),
});

const scheduling = v.pipe(
  fields({
    nodeSelector: v.optional(
      v.pipe(v.record(v.string(), v.string()), v.description("Labels that a node must have.")),
      {},
    ),
    tolerations: v.optional(
      v.pipe(
        v.array(v.pipe(toleration, v.description("As of a pod."))),
        v.maxLength(50, "it must have 50 tolerations at most"),
        v.description("Taints that a node may have."),
      ),
      [],
    ),
    priorityClass: v.optional(
      text("Of the pods.", { looksLike: "the name of a PriorityClass", pattern: NAME }),
    ),
  }),
  v.description("On which nodes the members run. No two share one, but for acceptSharedFate."),
);

const specFields = fields({
  postgres,
  standbys: v.optional(
    wholeNumber("How many standbys the primary has.", { from: 0, to: MAX_STANDBYS }),
    1,
  ),
  storage: v.optional(storage),
  members: v.optional(members),
  sync: v.optional(sync, {}),
  services: v.optional(services, {}),
  access: v.optional(access, []),
  resources: v.optional(
    v.pipe(
      fields({ requests: amounts, limits: amounts }),
      v.description("Of each member's container, PostgreSQL and agent together."),
    ),
    {},
  ),
  scheduling: v.optional(scheduling, {}),
  leaseSeconds: v.optional(
    wholeNumber("After so long without a sign of life of the primary a standby takes over.", {
      from: 5,
      to: 60,
    }),
    10,
  ),
  stopSeconds: v.optional(
    wholeNumber("How long a member may take to hand over and stop before it is killed.", {
      from: 10,
      to: 3_600,
    }),
    120,
  ),
  acceptSharedFate: v.optional(
    yesOrNo("Members may share a node, a disk or an NFS server: one failure may end them all."),
    false,
  ),
  deletionPolicy: v.optional(
    choice("What becomes of volumes, Secrets and record with this object.", ["Retain", "Delete"]),
    "Retain",
  ),
});

type SpecFields = v.InferOutput<typeof specFields>;

export const specSchema = v.pipe(
  specFields,
  v.description("What the cluster is to be."),
  rule<SpecFields>({
    cel: "has(self.storage) != has(self.members)",
    message:
      "give either storage, for a new volume for each member, or members, for existing claims",
    holds: (spec) => (spec.storage === undefined) !== (spec.members === undefined),
  }),
  rule<SpecFields>({
    cel: "!has(self.members) || self.members.size() == self.standbys + 1",
    message: "members must name one claim more than there are standbys: the primary has one too",
    holds: (spec) => spec.members === undefined || spec.members.length === spec.standbys + 1,
  }),
  rule<SpecFields>({
    cel: "self.sync.mode == 'off' || self.sync.required <= self.standbys",
    message: "sync.required must not be more than there are standbys",
    holds: (spec) => spec.sync.mode === "off" || spec.sync.required <= spec.standbys,
  }),
);

export type PostgresClusterSpec = v.InferOutput<typeof specSchema>;
