#!/usr/bin/env node
// The way in. Plain JavaScript that old versions of Node can read: it finds a Node that runs the
// program (24 or newer: this process, or the one that npm put into node_modules), turns on Node's
// compile cache, and hands over to main() of src/cli/main.ts, or of what was made of it.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const OLDEST_NODE = 24;
const script = fileURLToPath(import.meta.url);
const packageRoot = fileURLToPath(new URL("..", import.meta.url));

if (majorOf(process.versions.node) >= OLDEST_NODE) await runHere();
else runUnder(newerNode());

/** Imports the program into this process and lets it set the exit status. */
async function runHere() {
  const cache = cacheDirectory();
  // An unwritable directory is no failure: Node then says so in the result and compiles anew.
  if (cache !== undefined) module.enableCompileCache(cache);
  const args = process.argv.slice(2);
  const main = mainModule(args[0]);
  resolveOwnModules(main);
  const program = await import(pathToFileURL(main).href);
  process.exitCode = await program.main(args);
}

/**
 * In few files where `npm ci` has made it, and those are made of what is here now; else its
 * sources. A published package brings the former alone: Node strips no types inside of
 * node_modules.
 */
function mainModule(command) {
  // Agents and deadmen run for months beside a database and load only what they need.
  const name = command === "agent" || command === "deadman" ? `${command}-main` : "main";
  const built = join(packageRoot, "dist", "cli", `${name}.js`);
  const source = join(packageRoot, "src", "cli", `${name}.ts`);
  const isInstalled = packageRoot.includes(`${sep}node_modules${sep}`) || !existsSync(source);
  return isInstalled || isOfTheseSources(built) ? built : source;
}

/** By size and time of each file: 3 ms for an agent's three hundred. */
function isOfTheseSources(built) {
  try {
    const inputs = JSON.parse(readFileSync(built.replace(/\.js$/, ".inputs.json"), "utf8"));
    return inputs.every(([path, size, mtimeMs]) => {
      const now = statSync(packageRoot + path);
      return now.size === size && now.mtimeMs === mtimeMs;
    });
  } catch {
    return false; // not made yet, or something that it was made of is gone
  }
}

/**
 * Our modules name each other by whole relative paths, so there is nothing to be looked for.
 * Without that an agent's start takes 98 ms of processor time instead of 133, measured on Node
 * 24.21.
 */
function resolveOwnModules(main) {
  if (module.registerHooks === undefined) return;
  const own = pathToFileURL(join(main, "..", "..", sep)).href;
  const format = main.endsWith(".ts") ? "module-typescript" : "module";
  module.registerHooks({
    resolve: (specifier, context, next) =>
      specifier.startsWith(".") && context.parentURL?.startsWith(own)
        ? { url: new URL(specifier, context.parentURL).href, format, shortCircuit: true }
        : next(specifier, context),
  });
}

/** Below XDG_CACHE_HOME; root's own cache is not below anybody's home. */
function cacheDirectory() {
  if (process.env.XDG_CACHE_HOME) return join(process.env.XDG_CACHE_HOME, "understudy", "node");
  if (process.getuid?.() === 0) return "/var/cache/understudy/node";
  try {
    return join(homedir(), ".cache", "understudy", "node");
  } catch {
    return undefined; // a user without a home directory, as in some containers
  }
}

/** The Node of the npm package "node", in our own node_modules or beside us in somebody else's. */
function newerNode() {
  const places = [join(packageRoot, "node_modules"), join(packageRoot, "..")];
  return places.map((place) => join(place, "node", "bin", "node")).find((file) => existsSync(file));
}

/** A second process, because Node 20 cannot replace itself; it costs about 50 ms. */
function runUnder(node) {
  if (node === undefined) return failWith(`this is Node ${process.versions.node}`);
  const child = spawn(node, [script, ...process.argv.slice(2)], { stdio: "inherit" });
  child.on("error", (error) => failWith(`${node} does not start (${error.message})`));
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR2"])
    process.on(signal, () => child.kill(signal));
  // Ctrl-C on a terminal reaches the child as well; passed on it would count as a second Ctrl-C.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  child.on("exit", (status, signal) => {
    if (signal === null) return process.exit(status ?? 1);
    process.removeAllListeners(signal);
    return process.kill(process.pid, signal);
  });
}

function failWith(problem) {
  process.stderr.write(
    `understudy cannot start: it needs Node ${OLDEST_NODE} or newer, ${problem}; ` +
      `install Node ${OLDEST_NODE}, or run npm ci here with install scripts allowed.\n`,
  );
  process.exitCode = 1;
}

function majorOf(version) {
  return Number(version.split(".")[0]);
}
