// `npm run image -- --output DIR`: builds the image with the agent, its runtime and its loader, as
// an OCI layout; needs no Docker daemon, no root and no registry. The same sources on the same
// system give the same digest.
//   --archive FILE   also as one file: ctr images import, docker load, podman load, skopeo
//   --name NAME:TAG  what it is called there
//   --tree DIR       only the files, into a new directory: what the Containerfile copies
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildProgram } from "../build/program.js";
import { imageConfig, programEntries, runtimeEntries, type Architecture } from "./contents.ts";
import { packLayer } from "./layer.ts";
import { composeImage, packArchive, requireLayoutPlace, writeLayout } from "./oci-image.ts";
import { completeTree, sizeOf, writeTree, type Entry } from "./tree.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const { output, archive, name, tree } = readArguments(args);
    if (output !== undefined) requireLayoutPlace(output);
    if (tree !== undefined && existsSync(tree))
      throw new Error(`${tree} exists; name a new directory`);
    const architecture = ownArchitecture();
    const version = ownVersion();
    const layers = await contents(architecture);
    const bytes = layers.reduce((sum, entries) => sum + sizeOf(entries), 0);
    const files = layers.flat().filter(({ kind }) => kind === "file").length;
    say(`understudy ${version} for ${architecture}: ${files} files, ${megabytes(bytes)}`);
    if (tree !== undefined) putTree(layers, tree);
    if (output === undefined && archive === undefined) return 0;
    say("packing");
    const packed = await Promise.all(layers.map((entries) => packLayer(entries)));
    const image = composeImage({ architecture, name, config: imageConfig(version) }, packed);
    if (output !== undefined) {
      writeLayout(image, output);
      say(`${output}: OCI layout`);
    }
    if (archive !== undefined) {
      mkdirSync(dirname(archive), { recursive: true });
      writeFileSync(archive, await packArchive(image));
      say(`${archive}: archive`);
    }
    const compressed = packed.reduce((sum, layer) => sum + layer.bytes.length, 0);
    say(`${name}, ${megabytes(compressed)} compressed`);
    process.stdout.write(`${image.digest}\n`);
    return 0;
  } catch (thrown) {
    process.stderr.write(
      `no image: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`,
    );
    return 1;
  }
}

/** The layers' files: first the runtime, then the program. */
async function contents(architecture: Architecture): Promise<[Entry[], Entry[]]> {
  const runtime = runtimeEntries(ROOT, architecture);
  const built = mkdtempSync(join(tmpdir(), "understudy-image-"));
  try {
    say("building");
    await buildProgram(built);
    return [runtime, programEntries(ROOT, built)];
  } finally {
    rmSync(built, { recursive: true, force: true });
  }
}

function putTree(layers: readonly Entry[][], directory: string): void {
  // A directory may be in both layers.
  const entries = new Map(layers.flat().map((entry) => [entry.path, entry]));
  mkdirSync(directory, { recursive: true });
  writeTree(completeTree([...entries.values()]), directory);
  say(`${directory}: the files`);
}

function readArguments(args: readonly string[]): {
  output: string | undefined;
  archive: string | undefined;
  tree: string | undefined;
  name: string;
} {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { output: text, archive: text, name: text, tree: text },
  });
  const { name = `localhost/understudy:${ownVersion()}` } = values;
  if (!/^[\w.-]+(:\d+)?(\/[\w.-]+)+:[\w][\w.-]*$/.test(name))
    throw new Error(`--name ${name} is no name such as registry.example.com/understudy:1.0`);
  const [output, archive, tree] = [values.output, values.archive, values.tree].map((path) =>
    path === undefined ? undefined : resolve(path),
  );
  if (output === undefined && archive === undefined && tree === undefined)
    throw new Error("say where to: npm run image -- --output DIR, or --archive FILE");
  return { output, archive, tree, name };
}

function ownArchitecture(): Architecture {
  if (process.platform === "linux" && process.arch === "x64") return "amd64";
  if (process.platform === "linux" && process.arch === "arm64") return "arm64";
  throw new Error(
    `it is built on Linux, amd64 or arm64, for the same; this is ${process.platform} ` +
      `${process.arch}: use image/Containerfile`,
  );
}

function ownVersion(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(join(ROOT, "package.json"), "utf8"),
  );
  return manifest.version;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
