// What is to be issued by an authority that there is, where no operator does it: for members that
// come, and for those whose certificates are not good any more. Pure, but for the keys.
import type { Manifest, Surroundings } from "../objects/manifest.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { isGood, issue, LIFE_MS, type Authority, type Signer } from "./authority.ts";
import { certificateSecret, wantedCertificates } from "./certificate-secrets.ts";

/** @param of.present by the names of their Secrets; those that are good are left as they are */
export function missingCertificates(
  cluster: PostgresCluster,
  of: {
    authority: Authority;
    present: ReadonlyMap<string, Signer>;
    surroundings: Surroundings;
    now: Date;
  },
): Manifest[] {
  const { authority, present, surroundings, now } = of;
  return wantedCertificates(cluster, surroundings).flatMap((wanted) => {
    const found = present.get(wanted.name);
    if (found !== undefined && isGood(found, { authority, wanted: wanted.issue, now })) return [];
    const signer = issue(authority, { wanted: wanted.issue, now, lifeMs: LIFE_MS.unattended });
    return [certificateSecret(cluster, { wanted, signer, authority })];
  });
}
