import assert from "node:assert/strict";
import { test } from "node:test";
import {
  deviceText,
  mountAt,
  parseMountInfo,
  remoteOf,
  sharedFailureDomains,
  type Storage,
} from "./storage.ts";

const MOUNTS = parseMountInfo(
  [
    "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard",
    "40 27 8:17 / /srv/my\\040data\\303\\251 rw - xfs /dev/sdb1 rw",
    "41 27 0:50 /vol /mnt/nfs rw shared:7 master:1 - nfs4 10.0.0.5:/exports/a\\040b rw,vers=4.2",
    "42 27 0:33 /@data /btrfs rw - btrfs /dev/sdc2 rw,subvol=/@data",
    "43 40 8:33 / /srv/my\\040data\\303\\251 rw - ext4 /dev/sdc1 rw",
    "",
  ].join("\n"),
);

function storage(from: Partial<Storage>): Storage {
  return {
    device: "8:1",
    mountPoint: "/",
    fileSystem: "ext4",
    source: "/dev/sda1",
    disks: ["sda"],
    remote: null,
    freeBytes: 1,
    totalBytes: 2,
    ...from,
  };
}

function export_(server: string, share: string): Storage {
  return storage({
    device: `0:${share.length}`,
    fileSystem: "nfs4",
    source: `${server}:${share}`,
    disks: [],
    remote: { server, share },
  });
}

test("mount points and sources come with their blanks and letters", () => {
  assert.equal(MOUNTS.length, 5);
  assert.deepEqual(MOUNTS[1], {
    device: "8:17",
    mountPoint: "/srv/my dataé",
    fileSystem: "xfs",
    source: "/dev/sdb1",
  });
  assert.equal(MOUNTS[2]?.source, "10.0.0.5:/exports/a b");
});

function sourceAt(path: string, device = "none"): string | undefined {
  return mountAt({ mounts: MOUNTS, path, device })?.source;
}

test("a path lies on the longest mount above it, and on the one that its own device names", () => {
  assert.equal(sourceAt("/var/lib"), "/dev/vda");
  assert.equal(sourceAt("/srv/my data"), "/dev/vda");
  assert.equal(sourceAt("/btrfs/x"), "/dev/sdc2");
  assert.equal(sourceAt("/btrfs2"), "/dev/vda");
  assert.equal(sourceAt("/srv/my dataé/pg"), "/dev/sdc1");
  assert.equal(sourceAt("/srv/my dataé/pg", "8:17"), "/dev/sdb1");
  assert.equal(mountAt({ mounts: [], path: "/", device: "8:1" }), null);
});

test("device numbers are unpacked as the kernel packs them", () => {
  assert.equal(deviceText(0xfe00), "254:0");
  assert.equal(deviceText(0x811), "8:17");
  assert.equal(deviceText(0x1234_5678), "1110:74616");
});

test("the server of a network file system is named without user and brackets", () => {
  assert.deepEqual(remoteOf({ fileSystem: "nfs4", source: "10.0.0.5:/data" }), {
    server: "10.0.0.5",
    share: "/data",
  });
  assert.deepEqual(remoteOf({ fileSystem: "nfs", source: "[fe80::1]:/data" }), {
    server: "fe80::1",
    share: "/data",
  });
  assert.deepEqual(remoteOf({ fileSystem: "cifs", source: "//filer/pg" }), {
    server: "filer",
    share: "/pg",
  });
  assert.deepEqual(remoteOf({ fileSystem: "fuse.sshfs", source: "me@host:/x" }), {
    server: "host",
    share: "/x",
  });
  assert.equal(remoteOf({ fileSystem: "ext4", source: "/dev/sda1" }), null);
});

test("members on partitions of one disk share it; those on other disks do not", () => {
  const shared = sharedFailureDomains([
    { member: "demo-1", storage: storage({}) },
    { member: "demo-2", storage: storage({ device: "8:2", source: "/dev/sda2" }) },
    { member: "demo-3", storage: storage({ device: "8:16", disks: ["sdb"] }) },
  ]);
  assert.deepEqual(shared, [
    {
      members: ["demo-1", "demo-2"],
      domain: "disk (sda)",
      warning: "demo-1 and demo-2 share one disk (sda): when it fails, they fail together",
    },
  ]);
});

test("one export is named once, and its server only where it joins more members", () => {
  const pair = [
    { member: "a", storage: export_("filer", "/x") },
    { member: "b", storage: export_("filer", "/x") },
  ];
  assert.deepEqual(
    sharedFailureDomains(pair).map((shared) => shared.domain),
    ["NFS export /x of filer"],
  );
  const more = [...pair, { member: "c", storage: export_("filer", "/other") }];
  assert.deepEqual(
    sharedFailureDomains(more).map((shared) => [shared.domain, shared.members.length]),
    [
      ["NFS export /x of filer", 2],
      ["file server (filer)", 3],
    ],
  );
});

test("what cannot be seen below is still told apart by its file system", () => {
  const overlay = storage({ device: "0:55", fileSystem: "overlay", source: "overlay", disks: [] });
  const other = { ...overlay, device: "0:56" };
  assert.equal(
    sharedFailureDomains([
      { member: "a", storage: overlay },
      { member: "b", storage: other },
    ]).length,
    0,
  );
  const memory = (device: string) =>
    storage({ device, fileSystem: "tmpfs", source: "tmpfs", disks: [] });
  const [shared] = sharedFailureDomains([
    { member: "a", storage: memory("0:60") },
    { member: "b", storage: memory("0:61") },
    { member: "c", storage: memory("0:62") },
  ]);
  assert.equal(
    shared?.warning,
    "a, b and c share the memory of this machine: when it fails, they fail together",
  );
  assert.deepEqual(sharedFailureDomains([]), []);
});
