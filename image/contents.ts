// What is in the image. Two layers: the runtime (Node, its loader and libraries, tini), which
// changes with Node and with the system that builds, and the program, which changes with us.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { carriedProgram } from "./elf.ts";
import { AGENT, BRING, CARRIED_HOME, COMMAND, HOME, LIBRARIES, LOADER } from "./launchers.ts";
import { libraryDirectories, sharedLibraries } from "./shared-libraries.ts";
import { completeTree, file, filesBelow, program, type Entry } from "./tree.ts";

export type Architecture = "amd64" | "arm64";

/** Everything of the repository that the image is made of; the Containerfile copies the same. */
export const INPUTS = [
  "LICENSE",
  "bin",
  "build",
  "image",
  "package-lock.json",
  "package.json",
  "src",
  "tsconfig.json",
] as const;

/** The system's loader, under the name by which libraries ask for it. */
const LOADER_NAMES = { amd64: "ld-linux-x86-64.so.2", arm64: "ld-linux-aarch64.so.1" } as const;
/** Linked without libraries, so that it needs no loader. */
const INIT = "/usr/bin/tini-static";
/** Debian packages of which the image has files, with the terms under which it may. */
const TERMS = ["libc6", "libstdc++6", "libgcc-s1", "tini"];

export const USER = { name: "understudy", id: 65_532 } as const;

/** How our own image is run: the operator, or a command. */
export function imageConfig(version: string): Readonly<Record<string, unknown>> {
  return {
    User: `${USER.id}:${USER.id}`,
    Env: [`PATH=${HOME}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`],
    Entrypoint: [`${HOME}/bin/tini`, "--", `${HOME}/understudy`],
    WorkingDir: "/",
    Labels: {
      "org.opencontainers.image.title": "understudy",
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.licenses": "Apache-2.0",
    },
  };
}

/** @throws Error that names what is missing on this machine. */
export function runtimeEntries(root: string, architecture: Architecture): Entry[] {
  const home = HOME.slice(1);
  const carried = CARRIED_HOME.slice(1);
  const node = readFileSync(nodeOf(root));
  const libraries = sharedLibraries(node, libraryDirectories(architecture));
  const loader = LOADER_NAMES[architecture];
  return completeTree([
    program(`${home}/bin/node`, carriedProgram(node, { loader: LOADER, libraries: LIBRARIES })),
    program(`${home}/bin/tini`, readFileSync(required(INIT, "install Debian's package tini"))),
    // A library asks for the loader by its name, finds that it is there already, and never looks
    // for the file.
    ...libraries.map(({ name, bytes }) =>
      program(`${home}/lib/${name === loader ? "ld.so" : name}`, bytes),
    ),
    ...TERMS.map((name) => file(`${home}/licenses/${name}`, termsOf(name))),
    // Not CARRIED_HOME as a whole: a volume mounted over a link is mounted over what it points to.
    ...["bin", "lib"].map((name): Entry => ({
      kind: "link",
      path: `${carried}/${name}`,
      target: `../..${HOME}/${name}`,
    })),
    file(
      "etc/passwd",
      `root:x:0:0:root:/:/sbin/nologin\n${USER.name}:x:${USER.id}:${USER.id}::/:/sbin/nologin\n`,
    ),
    file("etc/group", `root:x:0:\n${USER.name}:x:${USER.id}:\n`),
    { kind: "directory", path: "tmp", mode: 0o1777 },
  ]);
}

/** @param built where build/program.js has put the program. */
export function programEntries(root: string, built: string): Entry[] {
  const home = HOME.slice(1);
  const read = (path: string) => readFileSync(join(root, path));
  return completeTree([
    program(`${home}/agent`, AGENT),
    program(`${home}/bring`, BRING),
    program(`${home}/understudy`, COMMAND),
    file(`${home}/bin/understudy.js`, read("bin/understudy.js")),
    file(`${home}/package.json`, read("package.json")),
    file(`${home}/licenses/understudy`, read("LICENSE")),
    file(`${home}/licenses/node`, nodeTerms()),
    ...filesBelow(built, { at: `${home}/dist`, wanted: (path) => path.endsWith(".js") }),
    ...filesBelow(join(built, "licenses"), { at: `${home}/licenses/npm`, wanted: () => true }),
  ]);
}

/** Of the npm package, whatever Node runs this: it is pinned. */
function nodeOf(root: string): string {
  return required(join(root, "node_modules/node/bin/node"), "run npm ci with install scripts");
}

function termsOf(name: string): Buffer {
  const path = `/usr/share/doc/${name}/copyright`;
  return readFileSync(realpathSync(required(path, "the image is built on a Debian system")));
}

function nodeTerms(): string {
  const page = `https://github.com/nodejs/node/blob/${process.version}/LICENSE`;
  return `Node.js ${process.version} is distributed under the terms at\n${page}\n`;
}

function required(path: string, remedy: string): string {
  if (!existsSync(path)) throw new Error(`${path} is not there: ${remedy}`);
  return path;
}
