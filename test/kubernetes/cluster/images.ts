// The images that nodes bring along, since there is no registry: ours, as `npm run image` builds
// it, and by the same code one with the system's PostgreSQL and one that only waits.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, realpath, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "../../../src/postgres/run-program.ts";
import { packLayer } from "../../../image/layer.ts";
import { composeImage, packArchive } from "../../../image/oci-image.ts";
import { completeTree, program, type Entry } from "../../../image/tree.ts";
import { run } from "../../support/debian-packages.ts";
import { openTestCache } from "../../support/installations.ts";
import { PAUSE_IMAGE } from "./node-settings.ts";
import { BUSYBOX, postgresEntries, SERVER_PROGRAMS } from "./postgres-image.ts";

/** As they are called in pods. */
export const AGENT_IMAGE = "localhost/understudy:test";
export const POSTGRES_IMAGE = "localhost/postgres:15";
const BUILDER = fileURLToPath(new URL("../../../image/build.ts", import.meta.url));
const ARCHITECTURES: Readonly<Record<string, "amd64" | "arm64">> = { x64: "amd64", arm64: "arm64" };
const BUILD_LIMIT_MS = 400_000;

/** @returns paths of archives, in a directory that is given for what is built each time. */
export async function buildImages(directory: string): Promise<string[]> {
  const cache = join(await openTestCache(), "images");
  await mkdir(cache, { recursive: true });
  const server = await run(join(SERVER_PROGRAMS, "postgres"), ["--version"]);
  const postgres = await kept(cache, `postgres ${server.trim()}`, () =>
    archive(POSTGRES_IMAGE, postgresEntries(), {
      Env: [`PATH=${SERVER_PROGRAMS}:/usr/bin:/bin`, "LANG=C.UTF-8"],
      Cmd: ["sh"],
    }),
  );
  const pause = await kept(cache, "pause", async () =>
    archive(PAUSE_IMAGE, completeTree([program("busybox", await readFile(BUSYBOX))]), {
      Entrypoint: ["/busybox", "sleep", "2147483647"],
      User: "65534:65534",
    }),
  );
  return [pause, postgres, await agentImage(directory)];
}

async function agentImage(directory: string): Promise<string> {
  const path = join(directory, "understudy.tar");
  const args = [BUILDER, "--archive", path, "--name", AGENT_IMAGE];
  const built = await runProgram({ program: process.execPath, args, timeoutMs: BUILD_LIMIT_MS });
  if (built.status !== 0) throw new Error(`no image of understudy: ${built.stderr}`);
  return path;
}

/** Made anew where the code that makes it is another. */
async function kept(cache: string, what: string, make: () => Promise<Uint8Array>): Promise<string> {
  const code = await Promise.all(
    ["images.ts", "postgres-image.ts"].map((name) => readFile(join(import.meta.dirname, name))),
  );
  const digest = createHash("sha256").update(what).update(Buffer.concat(code)).digest("hex");
  const path = join(await realpath(cache), `${what.split(" ")[0]}-${digest.slice(0, 16)}.tar`);
  if (existsSync(path)) return path;
  const staged = `${path}.${process.pid}`;
  await writeFile(staged, await make());
  await rename(staged, path);
  return path;
}

async function archive(
  name: string,
  entries: readonly Entry[],
  config: Readonly<Record<string, unknown>>,
): Promise<Uint8Array> {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`there are no images for ${process.arch}`);
  const layer = await packLayer(entries);
  return packArchive(composeImage({ architecture, name, config }, [layer]));
}
