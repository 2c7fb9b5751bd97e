// On what a directory lies: members that share a disk, or one export of one NFS server, fail
// together. Found by the mount table rather than by st_dev alone, which is an invented number on
// btrfs, overlay and network file systems.
import { readFileSync, readdirSync, realpathSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { realPathOf } from "./real-path.ts";

export interface Storage {
  /**
   * Of the block device ("254:0") where there is one, else the file system's own number ("0:55").
   */
  readonly device: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  /** As mounted: "/dev/sda1", "server:/export", "tmpfs". */
  readonly source: string;
  /**
   * The whole disks below it ("sda"), through partitions, LVM, RAID and encryption; none when they
   * cannot be seen.
   */
  readonly disks: readonly string[];
  /** Where it is another machine's. */
  readonly remote: { readonly server: string; readonly share: string } | null;
  /** What an ordinary user may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface Mount {
  readonly device: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  readonly source: string;
}

/**
 * Of a directory, or of the nearest one above it that exists. @throws Node's error when even that
 * cannot be asked.
 */
export async function inspectStorage(dir: string): Promise<Storage> {
  const path = existingPartOf(realPathOf(dir));
  const [mount, space] = [mountOf(path), await statfs(path)];
  const device = blockDeviceOf(mount);
  return {
    ...mount,
    device,
    disks: disksOf(device),
    remote: remoteOf(mount),
    freeBytes: space.bavail * space.bsize,
    totalBytes: space.blocks * space.bsize,
  };
}

/** As a member's status carries it: equal devices are one failure domain. */
export function storageOf(storage: Storage): { device: string; source: string } {
  const { remote } = storage;
  return {
    device: remote === null ? storage.device : `${remote.server}:${remote.share}`,
    source: `${storage.source} on ${storage.mountPoint}`,
  };
}

function existingPartOf(path: string): string {
  const parent = dirname(path);
  return parent === path || statSync(path, { throwIfNoEntry: false })
    ? path
    : existingPartOf(parent);
}

function mountOf(path: string): Mount {
  const { dev } = statSync(path);
  const unknown = {
    device: deviceText(dev),
    mountPoint: "/",
    fileSystem: "unknown",
    source: "unknown",
  };
  try {
    const mounts = parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8"));
    return mountAt({ mounts, path, device: unknown.device }) ?? unknown;
  } catch {
    return unknown;
  }
}

/**
 * Of all mounts above a path the longest; among those that cover each other the one that the file
 * itself names, else the newest.
 */
export function mountAt(of: {
  mounts: readonly Mount[];
  path: string;
  device: string;
}): Mount | null {
  const above = of.mounts.filter(({ mountPoint }) => isAbove(mountPoint, of.path));
  const longest = Math.max(...above.map((mount) => mount.mountPoint.length));
  const nearest = above.filter((mount) => mount.mountPoint.length === longest);
  return nearest.findLast((mount) => mount.device === of.device) ?? nearest.at(-1) ?? null;
}

function isAbove(mountPoint: string, path: string): boolean {
  return mountPoint === "/" || path === mountPoint || path.startsWith(`${mountPoint}/`);
}

/**
 * proc(5): "36 35 98:0 /root /mnt/point rw,noatime master:1 - ext3 /dev/root rw"; blanks are
 * written "\040".
 */
export function parseMountInfo(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after] = line.split(" - ");
    const [, , device, , mountPoint] = before.split(" ");
    const [fileSystem, source] = after?.split(" ") ?? [];
    if (device === undefined || mountPoint === undefined || fileSystem === undefined) return [];
    return [
      { device, mountPoint: unescape(mountPoint), fileSystem, source: unescape(source ?? "none") },
    ];
  });
}

/** Octal escapes are bytes of UTF-8, so the whole is decoded at once. */
function unescape(text: string): string {
  const bytes = text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  );
  return bytes === text ? text : Buffer.from(bytes, "latin1").toString("utf8");
}

/** "254:0" of a device number, as the kernel packs it (makedev(3)). */
export function deviceText(dev: number): string {
  const bits = BigInt(dev);
  const major = ((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn);
  const minor = (bits & 0xffn) | ((bits >> 12n) & 0xfff00n);
  return `${major}:${minor}`;
}

/**
 * btrfs and others show an invented number (major 0), but name the device they were mounted from.
 */
function blockDeviceOf(mount: Mount): string {
  if (!mount.device.startsWith("0:") || !mount.source.startsWith("/dev/")) return mount.device;
  const stats = statSync(mount.source, { throwIfNoEntry: false });
  return stats?.isBlockDevice() ? deviceText(stats.rdev) : mount.device;
}

/** The whole disks below a block device, as /sys shows them. */
function disksOf(device: string): string[] {
  try {
    return [...new Set(wholeDisks(realpathSync(`/sys/dev/block/${device}`)))].toSorted();
  } catch {
    return [];
  }
}

function wholeDisks(sysPath: string): string[] {
  if (statSync(join(sysPath, "partition"), { throwIfNoEntry: false }))
    return wholeDisks(dirname(sysPath));
  const below = statSync(join(sysPath, "slaves"), { throwIfNoEntry: false })
    ? readdirSync(join(sysPath, "slaves"))
    : [];
  if (below.length === 0) return [basename(sysPath)];
  return below.flatMap((name) => wholeDisks(realpathSync(join(sysPath, "slaves", name))));
}

const REMOTE_FILE_SYSTEMS = /^(nfs4?|cifs|smb3|ceph|fuse\.(glusterfs|sshfs))$/;

/** "server:/export", "[fe80::1]:/export", "//server/share". */
export function remoteOf(mount: Pick<Mount, "fileSystem" | "source">): Storage["remote"] {
  if (!REMOTE_FILE_SYSTEMS.test(mount.fileSystem)) return null;
  const [, host = mount.source, share = ""] =
    /^\/\/([^/]+)(\/.*)$/.exec(mount.source) ??
    /^\[([^\]]+)\]:(.*)$/.exec(mount.source) ??
    /^(.+?):(\/?.*)$/.exec(mount.source) ??
    [];
  return { server: host.replace(/^.*@/, ""), share };
}

export interface SharedFailureDomain {
  /** In the order given; at least two. */
  readonly members: readonly string[];
  /** What they share: "disk vda", "NFS export /data of 10.0.0.5". */
  readonly domain: string;
  /** One sentence. */
  readonly warning: string;
}

/**
 * Which members would fail together, the narrowest thing that each group shares first; a wider one
 * only where it joins more members. Their storage must have been asked on one machine, but for what
 * is remote.
 */
export function sharedFailureDomains(
  places: readonly { readonly member: string; readonly storage: Storage }[],
): SharedFailureDomain[] {
  const groups = new Map<string, string[]>();
  for (const width of [0, 1])
    for (const { member, storage } of places)
      for (const domain of domainsOf(storage)[width] ?? [])
        groups.set(domain, [...new Set([...(groups.get(domain) ?? []), member])]);
  const found: SharedFailureDomain[] = [];
  for (const [domain, members] of groups) {
    const isKnown = found.some((other) => members.every((name) => other.members.includes(name)));
    if (members.length < 2 || isKnown) continue;
    const the = domain.startsWith("memory") ? "the" : "one";
    const warning = `${listOf(members)} share ${the} ${domain}: when it fails, they fail together`;
    found.push({ members, domain, warning });
  }
  return found;
}

/** The narrow ones, then the wide ones. */
function domainsOf(storage: Storage): readonly [string[], string[]] {
  const { remote, disks } = storage;
  if (remote !== null) {
    const kind = storage.fileSystem.startsWith("nfs") ? "NFS" : storage.fileSystem;
    return [
      [`${kind} export ${remote.share} of ${remote.server}`],
      [`file server (${remote.server})`],
    ];
  }
  if (disks.length > 0) return [disks.map((disk) => `disk (${disk})`), []];
  if (storage.fileSystem === "tmpfs" || storage.fileSystem === "ramfs")
    return [["memory of this machine"], []];
  // A ZFS pool, an overlay, a share of a virtual machine: what is below cannot be seen from here.
  const [pool = ""] = storage.source.split("/");
  if (storage.fileSystem === "zfs") return [[`ZFS pool (${pool})`], []];
  return [[`file system (${storage.source}, device ${storage.device})`], []];
}

function listOf(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
