import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { judge, sharedFates, type MemberPlace } from "./shared-fate.ts";
import type { MountSeen, PersistentVolume } from "./volume-domains.ts";

const EFS = "efs.csi.aws.com";

function volume(name: string, spec: Record<string, unknown>): PersistentVolume {
  const common = { capacity: { storage: "10Gi" }, accessModes: ["ReadWriteMany"] };
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: { ...common, ...spec },
  };
}

function nfs(name: string, at: string): PersistentVolume {
  const [server, path] = at.split(":");
  return volume(name, { nfs: { server, path } });
}

function csiNfs(name: string, of: { handle: string; share: string }): PersistentVolume {
  const volumeAttributes = { server: "nas", share: of.share };
  const driver = "nfs.csi.k8s.io";
  return volume(name, { csi: { driver, volumeHandle: of.handle, volumeAttributes } });
}

function csi(name: string, driver: string, volumeHandle: string): PersistentVolume {
  return volume(name, { csi: { driver, volumeHandle, fsType: "ext4" } });
}

function iscsi(name: string, lun: number, readOnly: boolean): PersistentVolume {
  return volume(name, { iscsi: { targetPortal: "10.0.0.1:3260", iqn: "i", lun, readOnly } });
}

/** A member of which only its agent tells. */
function seen(node: string, mount: MountSeen): MemberPlace {
  return { member: `on-${node}`, node, volumes: [], mounts: [mount] };
}

/** Members on nodes of their own, each with one volume. */
function apart(...volumes: readonly PersistentVolume[]): MemberPlace[] {
  return volumes.map((each, index) => ({
    member: `izdb-${index + 1}`,
    node: `n${index + 1}`,
    volumes: [each],
    mounts: [],
  }));
}

function kinds(places: readonly MemberPlace[]): string[] {
  return sharedFates(places).map(({ domain, members }) => `${domain.kind} ${members.join(" ")}`);
}

test("two claims of one volume, and two paths of one export, are one failure", () => {
  const one = volume("pv", { nfs: { server: "nas", path: "/exports" } });
  assert.deepEqual(kinds(apart(one, one)), ["volume izdb-1 izdb-2"]);
  assert.deepEqual(kinds(apart(nfs("a", "nas:/exports"), nfs("b", "NAS.:/exports//"))), [
    "nfs-export izdb-1 izdb-2",
  ]);
});

test("two exports of one server are one failure, and of two servers they are not", () => {
  assert.deepEqual(kinds(apart(nfs("a", "nas:/a"), nfs("b", "nas:/b"))), [
    "nfs-server izdb-1 izdb-2",
  ]);
  assert.deepEqual(kinds(apart(nfs("a", "nas1:/a"), nfs("b", "nas2:/a"))), []);
});

test("what a driver says of NFS is the same as what the volume says", () => {
  assert.deepEqual(
    kinds(apart(csiNfs("a", { handle: "h1", share: "/exports" }), nfs("b", "nas:/exports"))),
    ["nfs-export izdb-1 izdb-2"],
  );
  assert.deepEqual(
    kinds(
      apart(csiNfs("a", { handle: "h1", share: "/a" }), csiNfs("b", { handle: "h2", share: "/b" })),
    ),
    ["nfs-server izdb-1 izdb-2"],
  );
});

test("one disk behind two volumes is one failure", () => {
  const [a, b] = [csi("a", "ebs.csi.aws.com", "vol-1"), csi("b", "ebs.csi.aws.com", "vol-2")];
  assert.deepEqual(kinds(apart(a, b)), []);
  assert.deepEqual(kinds(apart(a, csi("b", "ebs.csi.aws.com", "vol-1"))), ["disk izdb-1 izdb-2"]);
  const files = apart(csi("a", EFS, "fs-1::x"), csi("b", EFS, "fs-1::y"));
  assert.deepEqual(kinds(files), ["disk izdb-1 izdb-2"]);
  assert.deepEqual(kinds(apart(iscsi("a", 1, true), iscsi("b", 1, false))), ["disk izdb-1 izdb-2"]);
  assert.deepEqual(kinds(apart(iscsi("a", 1, true), iscsi("b", 2, true))), []);
});

test("a directory is one failure on one node, and two on two", () => {
  for (const type of ["hostPath", "local"]) {
    const [a, b] = [
      volume("a", { [type]: { path: "/srv/" } }),
      volume("b", { [type]: { path: "/srv" } }),
    ];
    assert.deepEqual(kinds(apart(a, b)), []);
    const together = apart(a, b).map((place) => Object.assign({}, place, { node: "n1" }));
    assert.deepEqual(kinds(together), ["directory izdb-1 izdb-2"]);
  }
});

test("what the agents see is counted too: one device of one node, one export under other names", () => {
  const disk = { source: "/dev/sda1", device: "8:1", disks: ["sda"], remote: null };
  const other = { ...disk, source: "/dev/sda2", device: "8:2" };
  assert.deepEqual(sharedFates([seen("n1", disk), seen("n2", disk)]), []);
  const two = [seen("n1", disk), { ...seen("n1", other), member: "other" }];
  assert.deepEqual(kinds(two), ["device on-n1 other"]);
  const remote = { server: "nas", share: "/exports" };
  const share = { source: "nas:/exports", device: "0:44", disks: [], remote };
  const places = [seen("n3", share), ...apart(nfs("a", "other:/a"), nfs("b", "nas:/exports"))];
  assert.deepEqual(kinds(places), ["nfs-export izdb-2 on-n3"]);
});

test("only the most specific thing that the same members share is told", () => {
  const places = apart(nfs("a", "nas:/a"), nfs("b", "nas:/a"), nfs("c", "nas:/c"));
  assert.deepEqual(kinds(places), ["nfs-export izdb-1 izdb-2", "nfs-server izdb-1 izdb-2 izdb-3"]);
  assert.equal(
    sharedFates(places)[1]?.message,
    "izdb-1, izdb-2 and izdb-3 have their data on the NFS server nas: when that fails, none of them is left",
  );
});

test("it is refused, or accepted with a warning; and what is not known is not called good", () => {
  const shared = apart(nfs("a", "nas:/a"), nfs("b", "nas:/b"));
  assert.equal(judge(shared, { acceptSharedFate: false }).kind, "refused");
  assert.equal(judge(shared, { acceptSharedFate: true }).kind, "accepted");
  const good = apart(nfs("a", "nas1:/a"), nfs("b", "nas2:/b"));
  assert.deepEqual(judge(good, { acceptSharedFate: false }), { kind: "apart" });
  const [first] = good;
  assert(first !== undefined);
  const unbound = { ...first, member: "izdb-3", node: "n3", volumes: [] };
  assert.deepEqual(judge([...good, unbound], { acceptSharedFate: false }), {
    kind: "unknown",
    members: ["izdb-3"],
  });
  assert.deepEqual(judge([unbound], { acceptSharedFate: false }), { kind: "apart" });
});

test("whatever members share is found, and whoever shares nothing is not named", () => {
  const place = fc.record({
    server: fc.constantFrom("s1", "s2", "s3", "s4"),
    node: fc.constantFrom("n1", "n2", "n3", "n4"),
  });
  fc.assert(
    fc.property(fc.array(place, { maxLength: 6 }), (list) => {
      const places = list.map(({ server, node }, index) => ({
        member: `m${index}`,
        node,
        volumes: [nfs(`pv${index}`, `${server}:/e${index}`)],
        mounts: [],
      }));
      const named = new Set(sharedFates(places).flatMap(({ members }) => members));
      for (const [index, { server, node }] of list.entries()) {
        const others = list.filter((_, other) => other !== index);
        const isShared = others.some((each) => each.server === server || each.node === node);
        assert.equal(named.has(`m${index}`), isShared);
      }
    }),
  );
});
