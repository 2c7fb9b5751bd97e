// Keeps a cluster's certificates: the authority, and what it has issued, each renewed when two
// thirds of its life are over. Whoever uses them reads them again by himself; nothing is restarted.
import { UnderstudyError } from "../../core/errors.ts";
import type { KubernetesApi } from "../../kubernetes-api/api.ts";
import { kindOfObject } from "../../kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import {
  advance,
  certificatesIn,
  isGood,
  issue,
  LIFE_MS,
  newSigner,
  trusted,
  type Authority,
} from "../certificates/authority.ts";
import {
  authoritySecret,
  authorityTexts,
  certificateSecret,
  certificateTexts,
  KEY,
  readAuthority,
  readSigner,
  textIn,
  wantedCertificates,
  type WantedCertificate,
} from "../certificates/certificate-secrets.ts";
import type { Surroundings } from "../objects/manifest.ts";
import { secretName } from "../objects/names.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { foreignObject, isOfCluster } from "./foreign.ts";
import { keepOwner } from "./keep-objects.ts";

const SECRET = kindOfObject({ apiVersion: "v1", kind: "Secret", metadata: { name: "" } });

export interface KeptCertificates {
  /** Whom everybody trusts, as one PEM file; null: the authority cannot be read. */
  readonly trusted: string | null;
  /** The Secrets that were made, as objectKey names them. */
  readonly made: readonly string[];
  /** The Secrets whose certificate was issued anew. */
  readonly renewed: readonly string[];
  /** One sentence for each that could not be. */
  readonly objections: readonly string[];
  /** Whether one of these names is another's. */
  readonly hasForeign: boolean;
}

interface Keeping {
  readonly api: KubernetesApi;
  readonly cluster: PostgresCluster;
  readonly surroundings: Pick<Surroundings, "clusterDomain">;
  readonly now: Date;
  readonly signal: AbortSignal;
}

type Outcome = "made" | "renewed" | "kept";

interface Leaf {
  readonly wanted: WantedCertificate;
  readonly live: KubernetesObject | null;
}

/** @throws UnderstudyError KUBERNETES_*. */
export async function keepCertificates(keeping: Keeping): Promise<KeptCertificates> {
  const { cluster, surroundings } = keeping;
  const name = secretName(cluster.name, "ca");
  const [live, all] = await Promise.all([
    read(keeping, name),
    Promise.all(
      wantedCertificates(cluster, surroundings).map(async (wanted): Promise<Leaf> => {
        return { wanted, live: await read(keeping, wanted.name) };
      }),
    ),
  ]);
  const foreign = all.filter(({ live: each }) => each !== null && !isOfCluster(each, cluster));
  const leaves = all.filter((leaf) => !foreign.includes(leaf));
  const objections = foreign.map(({ wanted }) => foreignSecret(wanted.name, cluster));
  const nothing = { trusted: null, made: [], renewed: [] };
  // Whoever has that one could sign for our members.
  if (live !== null && !isOfCluster(live, cluster)) {
    const own = foreignSecret(name, cluster);
    return { ...nothing, objections: [own, ...objections], hasForeign: true };
  }
  const hasForeign = foreign.length > 0;
  const found = live === null ? firstAuthority(keeping, leaves) : readAuthority(live);
  if (found === null) {
    const damaged = `the Secret ${name} holds no certificate with its key, so nothing can be issued: restore it, or delete it, and a new authority is made`;
    return { ...nothing, objections: [damaged, ...objections], hasForeign };
  }
  const authority = advance(found, { cluster: cluster.name, now: keeping.now });
  const isNew = await keepAuthority(keeping, { authority, found, live });
  const outcomes: Outcome[] = [];
  for (const leaf of leaves) outcomes.push(await keepLeaf(keeping, { authority, leaf }));
  const named = (outcome: Outcome) =>
    leaves.filter((_, index) => outcomes[index] === outcome).map(({ wanted }) => wanted.name);
  return {
    trusted: trusted(authority),
    made: [...(isNew ? [name] : []), ...named("made")].map((each) => `Secret ${each}`),
    renewed: named("renewed"),
    objections,
    hasForeign,
  };
}

function foreignSecret(name: string, cluster: PostgresCluster): string {
  return foreignObject({ apiVersion: "v1", kind: "Secret", metadata: { name } }, cluster);
}

/** Where the former one was lost, what it has issued is trusted until it is renewed. */
function firstAuthority({ cluster, now }: Keeping, leaves: readonly Leaf[]): Authority {
  const known = leaves.flatMap(({ live }) =>
    live === null ? [] : certificatesIn(textIn(live, KEY.trusted)),
  );
  return { current: newSigner(cluster.name, now), next: null, former: [...new Set(known)] };
}

/** @returns whether it was made. @throws where another operator has changed it meanwhile. */
async function keepAuthority(
  keeping: Keeping,
  of: { authority: Authority; found: Authority; live: KubernetesObject | null },
): Promise<boolean> {
  const { api, cluster, signal } = keeping;
  const { authority, found, live } = of;
  const object = authoritySecret(cluster, authority);
  if (live === null) {
    const made = await api.create(SECRET, object, { signal });
    // What an authority has signed that nobody keeps would be trusted by nobody.
    if (made.kind === "other") throw another(object.metadata.name);
    return true;
  }
  await keepOwner(keeping, { object, live });
  if (authority === found) return false;
  const place = placeOf(keeping, object.metadata.name);
  const stringData = authorityTexts(authority);
  const { resourceVersion } = live.metadata;
  const patch = { metadata: { resourceVersion }, stringData };
  const changed = await api.patch(SECRET, { place, patch }, { signal });
  if (changed.kind === "other") throw another(object.metadata.name);
  return false;
}

async function keepLeaf(
  keeping: Keeping,
  of: { authority: Authority; leaf: Leaf },
): Promise<Outcome> {
  const { api, cluster, now, signal } = keeping;
  const { authority, leaf } = of;
  const { wanted, live } = leaf;
  const fresh = () => issue(authority, { wanted: wanted.issue, now, lifeMs: LIFE_MS.renewed });
  if (live === null) {
    const object = certificateSecret(cluster, { wanted, signer: fresh(), authority });
    const made = await api.create(SECRET, object, { signal });
    return made.kind === "changed" ? "made" : "kept";
  }
  const present = readSigner(live);
  const isStill = isGood(present, { authority, wanted: wanted.issue, now });
  if (isStill && textIn(live, KEY.trusted) === trusted(authority)) return "kept";
  const stringData = certificateTexts(isStill ? present : fresh(), authority);
  await api.patch(
    SECRET,
    { place: placeOf(keeping, wanted.name), patch: { stringData } },
    { signal },
  );
  return isStill ? "kept" : "renewed";
}

function read(keeping: Keeping, name: string): Promise<KubernetesObject | null> {
  return keeping.api.get(SECRET, placeOf(keeping, name), { signal: keeping.signal });
}

function placeOf({ cluster: { namespace } }: Keeping, name: string) {
  return { namespace, name };
}

function another(name: string): UnderstudyError {
  return new UnderstudyError(
    "KUBERNETES_REFUSED",
    `the Secret ${name} was changed by somebody else meanwhile`,
  );
}
