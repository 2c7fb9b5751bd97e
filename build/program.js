// Makes the program as it is run, `dist/`: all of src and of the packages that it needs at run time
// in few files, because a process that loads one file instead of three hundred begins in half the
// time (docs/decisions/0031). Plain JavaScript that the oldest Node able to run `npm ci` can read.
//   node build/program.js [--output DIR]
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What bin/understudy.js starts, and what the image starts beside it. */
const PROGRAMS = ["main", "agent-main", "deadman-main", "bring-main", "entry"];
/** Packages written for Node's older module system ask for Node's own modules by `require`. */
const REQUIRE = 'import{createRequire as _c}from"node:module";const require=_c(import.meta.url);';

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { output: { type: "string", default: "dist" } } });
  rmSync(resolve(ROOT, values.output), { recursive: true, force: true });
  await buildProgram(values.output);
}

/**
 * Files of an earlier one stay: processes that run may still import them, under names that tell
 * what is in them.
 * @param {string} output the directory, from the root of the repository.
 */
export async function buildProgram(output) {
  const directory = resolve(ROOT, output);
  // Each by itself: split along what they share, an agent would be a hundred files again.
  const inputs = await Promise.all(PROGRAMS.map((name) => buildOne(name, directory)));
  writeTerms(directory, inputs.flat());
}

/**
 * @param {string} name
 * @param {string} directory
 * @returns {Promise<string[]>} what it was made of.
 */
async function buildOne(name, directory) {
  // What bin/understudy.js compares; without it nothing counts.
  const statement = join(directory, "cli", `${name}.inputs.json`);
  rmSync(statement, { force: true });
  const begunMs = Date.now();
  const { metafile } = await bundle(name, directory);
  const inputs = Object.keys(metafile.inputs);
  const stated = inputs.map((path) => {
    const { size, mtimeMs } = statSync(join(ROOT, path));
    return [path, size, mtimeMs];
  });
  // Nobody knows which of the two was read of one that was changed meanwhile.
  if (stated.some(([, , mtimeMs]) => Number(mtimeMs) >= begunMs)) return inputs;
  writeFileSync(`${statement}.${process.pid}`, `${JSON.stringify(stated)}\n`);
  renameSync(`${statement}.${process.pid}`, statement);
  return inputs;
}

/**
 * @param {string} name
 * @param {string} directory
 */
function bundle(name, directory) {
  return build({
    absWorkingDir: ROOT,
    entryPoints: [`src/cli/${name}.ts`],
    outbase: "src",
    outdir: directory,
    // As deep as the sources of the command line are: from both, ../../package.json is ours.
    chunkNames: `cli/${name}-[name]-[hash]`,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // An optional part of the package pg, which nobody installs.
    external: ["pg-native"],
    banner: { js: REQUIRE },
    metafile: true,
    logLevel: "error",
  });
}

/**
 * The terms of every package of which something is in it.
 * @param {string} directory
 * @param {readonly string[]} inputs
 */
function writeTerms(directory, inputs) {
  mkdirSync(join(directory, "licenses"), { recursive: true });
  const homes = new Map();
  for (const path of inputs) {
    const [, home, name] = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(path) ?? [];
    if (home !== undefined) homes.set(name, join(ROOT, home));
  }
  for (const [name, home] of homes)
    writeFileSync(join(directory, "licenses", name.replaceAll("/", "-")), termsOf(home));
}

/**
 * @param {string} home
 * @returns {string}
 */
function termsOf(home) {
  const page = readdirSync(home).find((file) => /^(licen[cs]e|notice)/i.test(file));
  if (page !== undefined) return readFileSync(join(home, page), "utf8");
  const { name, version, license, author } = JSON.parse(
    readFileSync(join(home, "package.json"), "utf8"),
  );
  if (typeof license !== "string") throw new Error(`${home} does not say under which terms it is`);
  return `${name} ${version} by ${author?.name ?? author}: ${license}\n`;
}
