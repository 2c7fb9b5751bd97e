// What can fail below a member's data, as far as its PersistentVolumes and its mounts tell: the
// volume, the disk, the NFS export and its server, the directory and the device of a node.
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";

/** The more specific first: where members share one of these, they share those after it. */
export const DOMAIN_KINDS = [
  "volume",
  "disk",
  "nfs-export",
  "nfs-server",
  "directory",
  "device",
  "node",
] as const;

export interface Domain {
  readonly kind: (typeof DOMAIN_KINDS)[number];
  /** The same for two members exactly when they share it. */
  readonly id: string;
  /** For people: "the NFS export nas:/exports/izdb". */
  readonly told: string;
}

export interface PersistentVolume extends KubernetesObject {
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** On what a member's data lies, as its agent sees it in the mount table. */
export interface MountSeen {
  /** "/dev/sda1". */
  readonly source: string;
  /** "8:1": of its node, and of no other. */
  readonly device: string;
  /** The whole disks below it, through partitions, LVM, RAID and encryption: "sda". */
  readonly disks: readonly string[];
  /** Where it is another machine's. */
  readonly remote: { readonly server: string; readonly share: string } | null;
}

/** Of every volume, beside the one field that says what it is made of. */
const OTHER_FIELDS = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);
/** How it is mounted says nothing of where it is. */
const MOUNT_FIELDS = new Set(["fsType", "readOnly", "secretRef", "nodePublishSecretRef"]);

/** @param node on which the member's pod is; null where it is on none yet. */
export function domainsOfVolume(volume: PersistentVolume, node: string | null): Domain[] {
  const { name } = volume.metadata;
  const own: Domain = { kind: "volume", id: name, told: `the PersistentVolume ${name}` };
  const entry = Object.entries(volume.spec ?? {}).find(([field]) => !OTHER_FIELDS.has(field));
  if (entry === undefined) return [own];
  const [type, value] = entry;
  return [own, ...domainsOfSource(type, { source: textsOf(value), value, node })];
}

export function domainsOfMount(mount: MountSeen, node: string): Domain[] {
  const { source, device, disks, remote } = mount;
  if (remote !== null) return nfs({ server: remote.server, path: remote.share });
  // Disks that cannot be seen, as in some containers, leave the device.
  const parts = disks.length > 0 ? disks : [device];
  return parts.map((part) => ({
    kind: "device",
    id: `${node} ${part}`,
    told:
      disks.length > 0 ? `the disk ${part} of the node ${node}` : `${source} of the node ${node}`,
  }));
}

export function domainOfNode(node: string): Domain {
  return { kind: "node", id: node, told: `the node ${node}` };
}

function domainsOfSource(
  type: string,
  of: { source: Readonly<Record<string, string>>; value: unknown; node: string | null },
): Domain[] {
  const { source, value, node } = of;
  if (type === "nfs") return nfs({ server: source["server"] ?? "", path: source["path"] ?? "/" });
  if (type === "csi") return csi(source, attributesOf(value));
  if (type === "hostPath" || type === "local") return directory(source["path"] ?? "/", node);
  // A disk of a cloud, a target of iSCSI, an image of Ceph: whatever tells it from others.
  const parts = Object.entries(source).filter(([field]) => !MOUNT_FIELDS.has(field));
  const id = `${type} ${parts
    .map(([field, text]) => `${field}=${text}`)
    .toSorted()
    .join(" ")}`;
  return [{ kind: "disk", id, told: `the volume ${id}` }];
}

/**
 * The driver's own name for the volume; for NFS its attributes say the server and the path, and of
 * Amazon's file systems the name holds the file system and then a part of it.
 */
function csi(
  source: Readonly<Record<string, string>>,
  attributes: Readonly<Record<string, string>>,
): Domain[] {
  const { driver = "", volumeHandle = "" } = source;
  const id = driver === "efs.csi.aws.com" ? (volumeHandle.split(":")[0] ?? "") : volumeHandle;
  const disk: Domain = {
    kind: "disk",
    id: `${driver} ${id}`,
    told: `the volume ${id} of ${driver}`,
  };
  const server = attributes["server"] ?? attributes["nfsServer"];
  const path = attributes["share"] ?? attributes["path"] ?? attributes["nfsPath"];
  return server === undefined || path === undefined ? [disk] : [disk, ...nfs({ server, path })];
}

/** Names are compared as they are written: that two names are one server nobody here can know. */
function nfs(of: { server: string; path: string }): Domain[] {
  const server = of.server.toLowerCase().replace(/^\[|\]$|\.$/g, "");
  const path = withoutSlashes(of.path);
  const at = `${server}:${path}`;
  return [
    { kind: "nfs-export", id: at, told: `the NFS export ${at}` },
    { kind: "nfs-server", id: server, told: `the NFS server ${server}` },
  ];
}

/** Of the node on which the pod is, whichever that is. */
function directory(path: string, node: string | null): Domain[] {
  if (node === null) return [];
  const place = withoutSlashes(path);
  const told = `the directory ${place} of the node ${node}`;
  return [{ kind: "directory", id: `${node} ${place}`, told }];
}

function withoutSlashes(path: string): string {
  return path.replaceAll(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "") || "/";
}

function attributesOf(value: unknown): Readonly<Record<string, string>> {
  return textsOf(Object(value)["volumeAttributes"]);
}

/** What in it is text, a number or a list; the rest says nothing here. */
function textsOf(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(Object(value)).flatMap(([field, each]) => {
    const text = Array.isArray(each) ? each.join(",") : each;
    return typeof text === "string" || typeof text === "number" ? [[field, String(text)]] : [];
  });
  return Object.fromEntries(entries);
}
