// One StatefulSet for each member, of one pod: never two pods of one member at a time, and each
// changed on its own. Everything that cannot be changed later is made of names alone.
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { manifest, type Manifest, type Surroundings } from "./manifest.ts";
import { membersServiceName, memberSelector } from "./names.ts";
import { podTemplate } from "./pod.ts";
import { memberVolumes } from "./volumes.ts";

export function statefulSets(cluster: PostgresCluster, surroundings: Surroundings): Manifest[] {
  return memberVolumes(cluster).map((volumes) => {
    const { member } = volumes;
    const selector = memberSelector(cluster.name, { member });
    return manifest(cluster, {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      name: member,
      labels: selector,
      body: {
        spec: {
          replicas: 1,
          serviceName: membersServiceName(cluster.name),
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector },
          // A pod is replaced when it is that member's turn, and not because a template changed.
          updateStrategy: { type: "OnDelete" },
          revisionHistoryLimit: 2,
          template: podTemplate(cluster, { volumes, surroundings }),
        },
      },
    });
  });
}
