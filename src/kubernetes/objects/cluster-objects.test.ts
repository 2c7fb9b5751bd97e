import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  anyCluster,
  clustersNamed,
  clusterWith,
  PASSWORDS,
  SURROUNDINGS,
  TRUSTED,
} from "../../../test/support/postgres-clusters.ts";
import { unattendedCertificates } from "../certificates/certificate-secrets.ts";
import { kindOfObject } from "../../kubernetes-api/kinds.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { clusterObjects, objectKey } from "./cluster-objects.ts";
import type { Manifest, Surroundings } from "./manifest.ts";

/** Each makes some dozens of objects. */
const RUNS = { numRuns: 40 };
const NOW = new Date("2026-11-23T05:00:00Z");

/** As what the API is sent: nothing undefined, nothing shared. */
function objectsOf(
  cluster: PostgresCluster,
  surroundings: Surroundings = SURROUNDINGS,
): Map<string, Manifest> {
  const { founded, applied } = clusterObjects(cluster, {
    passwords: PASSWORDS,
    trusted: TRUSTED,
    surroundings,
  });
  const all: Manifest[] = JSON.parse(JSON.stringify([...founded, ...applied]));
  return new Map(all.map((each) => [objectKey(each), each]));
}

/** A value deep in an object: at(service, "spec", "ports", 0, "name"). */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const step of path) found = Object(found)[step];
  return found;
}

function ofKind(objects: Map<string, Manifest>, kind: string): Manifest[] {
  return [...objects.values()].filter((each) => each.kind === kind);
}

function listAt(value: unknown, ...path: readonly (string | number)[]): unknown[] {
  const list = at(value, ...path);
  return Array.isArray(list) ? list : [];
}

/** Every map of labels in it, wherever. */
function labelsIn(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  const entries = Object.entries(value);
  const here = entries.filter(([key]) => ["labels", "matchLabels", "selector"].includes(key));
  const below = entries.flatMap(([, each]) => labelsIn(each));
  return [...here.map(([, each]) => each), ...below];
}

test("a cluster becomes these objects, by these names", () => {
  assert.deepEqual(
    [...objectsOf(clusterWith({ standbys: 1 })).keys()],
    [
      "Secret izdb-superuser",
      "Secret izdb-app",
      "Secret izdb-agents",
      "Lease izdb",
      "EndpointSlice izdb-rw",
      "EndpointSlice izdb-ro",
      "ConfigMap izdb-specification",
      "ServiceAccount izdb-agents",
      "Role izdb-agents",
      "RoleBinding izdb-agents",
      "NetworkPolicy izdb",
      "PodDisruptionBudget izdb",
      "Service izdb-members",
      "Service izdb-rw",
      "Service izdb-ro",
      "Service izdb-r",
      "PersistentVolumeClaim izdb-1-data",
      "PersistentVolumeClaim izdb-2-data",
      "StatefulSet izdb-1",
      "StatefulSet izdb-2",
    ],
  );
});

test("every name and label is one that Kubernetes takes, and no two objects have the same", () => {
  fc.assert(
    fc.property(anyCluster, (cluster) => {
      const { founded, applied } = clusterObjects(cluster, {
        passwords: PASSWORDS,
        trusted: TRUSTED,
        surroundings: SURROUNDINGS,
      });
      const objects = objectsOf(cluster);
      assert.equal(objects.size, founded.length + applied.length);
      for (const object of objects.values()) {
        const { name } = object.metadata;
        assert.match(name, /^[a-z]([-a-z0-9]*[a-z0-9])?$/);
        // A StatefulSet's revisions are its name with eleven characters more, as a label.
        assert.ok(name.length <= (object.kind === "StatefulSet" ? 52 : 63), name);
        assert.ok(kindOfObject(object));
        for (const labels of labelsIn(object))
          for (const value of Object.values(Object(labels)))
            if (typeof value === "string") assert.match(value, /^[A-Za-z0-9]([\w.-]{0,61}\w)?$/);
      }
    }),
    RUNS,
  );
});

test("no password is anywhere but in a Secret", () => {
  fc.assert(
    fc.property(anyCluster, (cluster) => {
      for (const object of objectsOf(cluster).values()) {
        const { stringData, ...open } = object;
        // Whole: a name that was drawn at random may have the beginning of one in it.
        const password = /pw-(superuser|application|replication|api-token)/;
        assert.doesNotMatch(JSON.stringify(open), password, objectKey(object));
        assert.equal(stringData !== undefined, object.kind === "Secret");
      }
    }),
    RUNS,
  );
});

test("two members never have their data in one place, and each mounts what there is", () => {
  fc.assert(
    fc.property(anyCluster, (cluster) => {
      const objects = objectsOf(cluster);
      const places = ofKind(objects, "StatefulSet").flatMap((set) => {
        const pod = at(set, "spec", "template", "spec");
        const mounts = listAt(pod, "containers", 0, "volumeMounts");
        return listAt(pod, "volumes").flatMap((volume) => {
          const claim = at(volume, "persistentVolumeClaim", "claimName");
          const mount = mounts.find((each) => at(each, "name") === at(volume, "name"));
          assert.ok(mount !== undefined, "each volume is mounted");
          return claim === undefined ? [] : [{ claim, path: String(at(mount, "subPath") ?? "") }];
        });
      });
      for (const { claim, path } of places) {
        const within = places.filter(
          (other) => other.claim === claim && `${path}/`.startsWith(other.path),
        );
        assert.equal(within.length, 1, JSON.stringify(places));
        const isMade = objects.has(`PersistentVolumeClaim ${String(claim)}`);
        assert.equal(isMade, cluster.spec.members === undefined);
      }
    }),
    RUNS,
  );
});

/** What the API server does not let anybody change. */
function unchangeable(object: Manifest): unknown {
  switch (object.kind) {
    case "StatefulSet": {
      const {
        template: _1,
        replicas: _2,
        updateStrategy: _3,
        ...fixed
      } = Object(at(object, "spec"));
      return fixed;
    }
    case "Service":
      return at(object, "spec", "clusterIP");
    case "RoleBinding":
      return at(object, "roleRef");
    case "Secret":
      return at(object, "type");
    case "EndpointSlice":
      return at(object, "addressType");
    case "PodDisruptionBudget":
      return at(object, "spec", "selector");
    default:
      return null;
  }
}

test("what cannot be changed is the same in every specification of a cluster", () => {
  const izdb = clustersNamed(fc.constant("izdb"));
  fc.assert(
    fc.property(izdb, izdb, (one, other) => {
      const [before, after] = [objectsOf(one), objectsOf(other)];
      for (const [key, object] of before) {
        const now = after.get(key);
        if (now !== undefined) assert.deepEqual(unchangeable(now), unchangeable(object), key);
      }
    }),
    RUNS,
  );
});

test("what one object says of another is so", () => {
  fc.assert(
    fc.property(anyCluster, (cluster) => {
      const objects = objectsOf(cluster);
      const issued = unattendedCertificates(cluster, { surroundings: SURROUNDINGS, now: NOW });
      const certificates = new Map(issued.secrets.map((each) => [each.metadata.name, each]));
      for (const set of ofKind(objects, "StatefulSet")) {
        const template = at(set, "spec", "template");
        const labels = Object(at(template, "metadata", "labels"));
        const pod = at(template, "spec");
        const selectors = [
          at(set, "spec", "selector", "matchLabels"),
          ...["Service", "PodDisruptionBudget", "NetworkPolicy"].flatMap((kind) =>
            ofKind(objects, kind).map(selectorOf),
          ),
        ];
        for (const selector of selectors)
          assert.deepEqual({ ...labels, ...Object(selector) }, labels, "the pods are selected");
        assert.ok(objects.has(`ServiceAccount ${String(at(pod, "serviceAccountName"))}`));
        assert.ok(objects.has(`Service ${String(at(set, "spec", "serviceName"))}`));
        for (const source of listAt(pod, "volumes").flatMap((each) =>
          listAt(each, "projected", "sources"),
        )) {
          const config = at(source, "configMap", "name");
          if (config !== undefined) assert.ok(objects.has(`ConfigMap ${String(config)}`));
          const name = String(at(source, "secret", "name"));
          const secret = objects.get(`Secret ${name}`) ?? certificates.get(name);
          for (const item of listAt(source, "secret", "items"))
            assert.equal(typeof at(secret, "stringData", String(at(item, "key"))), "string");
        }
      }
    }),
    RUNS,
  );
});

/** Of a Service without a selector nothing is asked. */
function selectorOf(object: Manifest): unknown {
  if (object.kind === "Service") return at(object, "spec", "selector");
  if (object.kind === "NetworkPolicy") return at(object, "spec", "podSelector", "matchLabels");
  return at(object, "spec", "selector", "matchLabels");
}

test("pods keep to the restricted profile, and write nowhere but to volumes", () => {
  fc.assert(
    fc.property(anyCluster, (cluster) => {
      for (const set of ofKind(objectsOf(cluster), "StatefulSet")) {
        const pod = at(set, "spec", "template", "spec");
        assert.equal(at(pod, "securityContext", "runAsNonRoot"), true);
        assert.ok(Number(at(pod, "securityContext", "runAsUser")) > 0);
        assert.equal(at(pod, "securityContext", "seccompProfile", "type"), "RuntimeDefault");
        for (const key of ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"])
          assert.equal(at(pod, key), undefined);
        for (const volume of listAt(pod, "volumes"))
          assert.match(
            Object.keys(Object(volume)).join(),
            /^name,(persistentVolumeClaim|emptyDir|projected)$/,
          );
        for (const container of [...listAt(pod, "initContainers"), ...listAt(pod, "containers")])
          assert.deepEqual(at(container, "securityContext"), {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          });
      }
    }),
    RUNS,
  );
});

test("agents may touch what is theirs by name, and make, delete or list nothing", () => {
  const [role] = ofKind(objectsOf(clusterWith()), "Role");
  const rules = listAt(role, "rules").map((rule) => ({
    on: `${String(at(rule, "resources", 0))}: ${listAt(rule, "resourceNames").join(" ")}`,
    verbs: listAt(rule, "verbs").join(" "),
  }));
  assert.deepEqual(rules, [
    { on: "leases: izdb", verbs: "get list watch patch" },
    { on: "endpointslices: izdb-rw izdb-ro", verbs: "get patch" },
    { on: "pods: izdb-1-0 izdb-2-0 izdb-3-0", verbs: "get" },
  ]);
});

function unowned(deletionPolicy: string): string[] {
  return [...objectsOf(clusterWith({ standbys: 0, deletionPolicy }))]
    .filter(([, { metadata }]) => metadata.ownerReferences === undefined)
    .map(([key]) => key);
}

test("what is needed to come back stays, unless it is to be deleted", () => {
  assert.deepEqual(unowned("Delete"), []);
  assert.deepEqual(unowned("Retain"), [
    "Secret izdb-superuser",
    "Secret izdb-app",
    "Secret izdb-agents",
    "Lease izdb",
    "PersistentVolumeClaim izdb-1-data",
  ]);
});

test("members are on nodes of their own, and only apart where possible if that is accepted", () => {
  const affinity = (acceptSharedFate: boolean) => {
    const set = objectsOf(clusterWith({ acceptSharedFate })).get("StatefulSet izdb-1");
    return Object(at(set, "spec", "template", "spec", "affinity", "podAntiAffinity"));
  };
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  assert.equal(at(affinity(false), required, 0, "topologyKey"), "kubernetes.io/hostname");
  assert.ok(!(required in affinity(true)));
});

test("what an older Kubernetes has under another version is asked of it so", () => {
  const has = { policyV1: false, discoveryV1: false };
  const versions = [...objectsOf(clusterWith(), { ...SURROUNDINGS, has }).values()]
    .map(({ apiVersion }) => apiVersion)
    .filter((version) => version.includes("beta"));
  assert.deepEqual(new Set(versions), new Set(["policy/v1beta1", "discovery.k8s.io/v1beta1"]));
});

test("an application finds all that it needs in one Secret, whatever the password", () => {
  const secret = objectsOf(clusterWith()).get("Secret izdb-app");
  assert.deepEqual(at(secret, "stringData"), {
    username: "app",
    password: "pw-application:\\1",
    host: "izdb-rw",
    port: "5432",
    dbname: "app",
    uri: "postgresql://app:pw-application%3A%5C1@izdb-rw:5432/app?sslmode=require",
    "fqdn-uri":
      "postgresql://app:pw-application%3A%5C1@izdb-rw.shop.svc.cluster.local:5432/app?sslmode=require",
    "verified-uri":
      "postgresql://app:pw-application%3A%5C1@izdb-rw.shop.svc.cluster.local:5432/app?sslmode=verify-full&sslrootcert=/etc/izdb-app/ca.crt",
    "jdbc-uri":
      "jdbc:postgresql://izdb-rw:5432/app?user=app&password=pw-application%3A%5C1&sslmode=require",
    pgpass: "izdb-rw:5432:app:app:pw-application\\:\\\\1",
    "ca.crt": TRUSTED,
  });
});

test("the superuser's Secret names no address: it is let in from the pod itself alone", () => {
  const secret = objectsOf(clusterWith()).get("Secret izdb-superuser");
  assert.deepEqual(at(secret, "stringData"), {
    username: "postgres",
    password: "pw-superuser:\\1",
    dbname: "postgres",
    "ca.crt": TRUSTED,
  });
});

/** Of the write, the read and the third service. */
function ranges(spec: Record<string, unknown>): unknown[] {
  const objects = objectsOf(clusterWith(spec));
  return ["rw", "ro", "r"].map((each) =>
    at(objects.get(`Service izdb-${each}`), "spec", "loadBalancerSourceRanges"),
  );
}

test("a load balancer lets in whom access names, and of other services it is asked in vain", () => {
  const access = [{ cidr: "10.0.0.0/8" }, { namespace: "shop" }, { cidr: "fd00::/8" }];
  const services = { write: { type: "LoadBalancer" }, read: { type: "NodePort" } };
  const named = ["10.0.0.0/8", "fd00::/8"];
  assert.deepEqual(ranges({ services, access }), [named, undefined, undefined]);
  assert.deepEqual(ranges({ services }), [undefined, undefined, undefined]);
});

test("endpoints have addresses of the family that the cluster's network has", () => {
  for (const addressType of ["IPv4", "IPv6"] as const) {
    const { founded } = clusterObjects(clusterWith(), {
      passwords: PASSWORDS,
      trusted: TRUSTED,
      surroundings: { ...SURROUNDINGS, addressType },
    });
    const slices = founded.filter(({ kind }) => kind === "EndpointSlice");
    assert.deepEqual(
      slices.map((slice) => at(slice, "addressType")),
      [addressType, addressType],
    );
  }
});

function ingress(spec: Record<string, unknown>): unknown[] {
  return listAt(objectsOf(clusterWith(spec)).get("NetworkPolicy izdb"), "spec", "ingress");
}

test("PostgreSQL is reached by applications, the agents by the members and the operator alone", () => {
  const [members, applications, operator] = ingress({});
  assert.deepEqual(at(members, "ports", 1, "port"), 8008);
  assert.deepEqual(at(applications, "from"), [{ podSelector: {} }]);
  assert.deepEqual(at(operator, "ports"), [{ protocol: "TCP", port: 8008 }]);
  const exposed = { services: { write: { type: "NodePort" } } };
  assert.equal(at(ingress(exposed)[1], "from"), undefined);
  const narrowed = ingress({ ...exposed, access: [{ cidr: "10.0.0.0/8" }] })[1];
  assert.deepEqual(at(narrowed, "from"), [
    { podSelector: {} },
    { ipBlock: { cidr: "10.0.0.0/8" } },
  ]);
});
