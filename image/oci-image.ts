// An image as the OCI Image Format Specification 1.0 describes it, as a directory and as one
// archive. The archive also has what `docker load` reads, so that it can be given to whatever takes
// images from files: ctr, podman, skopeo, docker.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packTar } from "modern-tar";
import { digestOf, FIXED_TIME, type Layer } from "./layer.ts";

export interface ImageDescription {
  readonly architecture: "amd64" | "arm64";
  /** "registry.example.com/understudy:1.0": what it is called where it is imported. */
  readonly name: string;
  /** Config of the specification: Entrypoint, User and so on. */
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Image {
  /** Of the manifest: what a registry calls the image's digest. */
  readonly digest: string;
  /** Path -> contents. */
  readonly files: ReadonlyMap<string, Buffer>;
}

const LAYOUT_FILE = "oci-layout";
const MEDIA = "application/vnd.oci.image";

export function composeImage(description: ImageDescription, layers: readonly Layer[]): Image {
  const files = new Map<string, Buffer>();
  const blob = (bytes: Buffer, mediaType: string) => {
    const digest = digestOf(bytes);
    files.set(pathOf(digest), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const config = blob(configuration(description, layers), `${MEDIA}.config.v1+json`);
  const manifest = {
    schemaVersion: 2,
    mediaType: `${MEDIA}.manifest.v1+json`,
    config,
    layers: layers.map(({ bytes }) => blob(bytes, `${MEDIA}.layer.v1.tar+gzip`)),
  };
  const { architecture, name } = description;
  const index = {
    schemaVersion: 2,
    mediaType: `${MEDIA}.index.v1+json`,
    manifests: [
      {
        ...blob(json(manifest), manifest.mediaType),
        platform: { architecture, os: "linux" },
        annotations: {
          // skopeo and buildah look at the tag alone, containerd at the whole name.
          "org.opencontainers.image.ref.name": name.split(":").at(-1),
          "io.containerd.image.name": name,
        },
      },
    ],
  };
  files.set("index.json", json(index));
  files.set(LAYOUT_FILE, json({ imageLayoutVersion: "1.0.0" }));
  // Of `docker save`: not part of the specification, and nobody else minds it.
  const docker = {
    Config: pathOf(config.digest),
    RepoTags: [name],
    Layers: layers.map(({ digest }) => pathOf(digest)),
  };
  files.set("manifest.json", json([docker]));
  return { digest: digestOf(json(manifest)), files };
}

/** @throws Error where anything but an earlier layout is in the directory. */
export function requireLayoutPlace(directory: string): void {
  const found = existsSync(directory) ? readdirSync(directory) : [];
  if (found.length > 0 && !found.includes(LAYOUT_FILE))
    throw new Error(`${directory} is not empty and no OCI layout; name another directory`);
}

/** An earlier layout in its place is there as a whole until the new one is. */
export function writeLayout({ files }: Image, directory: string): void {
  requireLayoutPlace(directory);
  const half = `${directory}.part`;
  rmSync(half, { recursive: true, force: true });
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(half, path)), { recursive: true });
    writeFileSync(join(half, path), bytes);
  }
  rmSync(directory, { recursive: true, force: true });
  renameSync(half, directory);
}

export async function packArchive({ files }: Image): Promise<Uint8Array> {
  const sorted = [...files].sort(([one], [other]) => (one < other ? -1 : 1));
  return packTar(
    sorted.map(([name, body]) => ({
      header: { name, size: body.length, mode: 0o644, mtime: FIXED_TIME, uid: 0, gid: 0 },
      body,
    })),
  );
}

function configuration(
  { architecture, config }: ImageDescription,
  layers: readonly Layer[],
): Buffer {
  const created = FIXED_TIME.toISOString();
  return json({
    architecture,
    os: "linux",
    created,
    config,
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created, created_by: "npm run image" })),
  });
}

function pathOf(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
