// Debian packages of another release, unpacked beside the system: nothing is installed and apt's
// own configuration, lists and caches stay as they are. apt fetches and verifies them (the
// archive's signature, the packages' checksums).
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../../src/postgres/run-program.ts";

const LIMIT_MS = 600_000;
const MIRROR = "http://deb.debian.org/debian";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Unpacks packages, with those that they depend on and that `needed` takes, into a directory.
 * @throws Error in apt's own words where there is no apt, no network or no such package.
 */
export async function unpackDebianPackages(request: {
  /** "trixie". */
  readonly release: string;
  readonly packages: readonly string[];
  /** Of the names that apt would install on an empty system. */
  readonly needed: (name: string) => boolean;
  /** An empty directory. */
  readonly into: string;
}): Promise<void> {
  const { release, packages, needed, into } = request;
  const work = await mkdtemp(`${into}-apt-`);
  try {
    // apt fetches as its own unprivileged user, who has to get there.
    await chmod(work, 0o755);
    const apt = await prepareApt(work, release);
    await apt(["update"]);
    const all = await apt([
      "install",
      "--print-uris",
      "-y",
      "--no-install-recommends",
      ...packages,
    ]);
    const names = packageNames(all).filter(needed);
    await apt(["download", ...names]);
    for (const file of await readdir(join(work, "packages")))
      await run("dpkg", ["-x", join(work, "packages", file), into]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Fetches a source package as it is, archives and description, into a directory.
 * @throws Error as `unpackDebianPackages` does.
 */
export async function fetchDebianSource(request: {
  readonly release: string;
  readonly name: string;
  readonly into: string;
}): Promise<void> {
  const { release, name, into } = request;
  const work = await mkdtemp(`${into}-apt-`);
  try {
    await chmod(work, 0o755);
    const apt = await prepareApt(work, release, "deb-src");
    await apt(["update"]);
    await apt(["source", "--download-only", name]);
    for (const file of await readdir(join(work, "packages")))
      await rename(join(work, "packages", file), join(into, file));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * @returns runs apt-get with state, lists and caches of its own, and with a status that knows no
 * installed package.
 */
async function prepareApt(
  work: string,
  release: string,
  type: "deb" | "deb-src" = "deb",
): Promise<(args: readonly string[]) => Promise<string>> {
  const directories = ["lists/partial", "archives/partial", "parts", "packages"];
  for (const directory of directories) await mkdir(join(work, directory), { recursive: true });
  const sources = join(work, "sources.list");
  const status = join(work, "status");
  const config = join(work, "apt.conf");
  // A mirror that has stood still for weeks is good enough for a test; what it has is signed all
  // the same.
  const trust = `signed-by=${KEYRING} check-valid-until=no`;
  await writeFile(sources, `${type} [${trust}] ${await mirror()} ${release} main\n`);
  await writeFile(status, "");
  // The parts are left out because a container's delete the system's archives after each update;
  // its proxies are kept.
  const settings = {
    "Dir::Etc::main": "/dev/null",
    "Dir::Etc::parts": join(work, "parts"),
    "Dir::Etc::sourcelist": sources,
    "Dir::Etc::sourceparts": join(work, "parts"),
    "Dir::Etc::preferencesparts": join(work, "parts"),
    "Dir::Etc::preferences": "/dev/null",
    "Dir::State": work,
    "Dir::State::lists": join(work, "lists"),
    "Dir::State::status": status,
    "Dir::Cache": work,
    "Dir::Cache::archives": join(work, "archives"),
    "Dir::Log": work,
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
  };
  const own = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
  await writeFile(config, [...own, ...(await systemProxies())].join(""));
  return (args) =>
    run("apt-get", ["-qq", ...args], { cwd: join(work, "packages"), env: { APT_CONFIG: config } });
}

/** Where this system fetches Debian from, else Debian's own address. */
async function mirror(): Promise<string> {
  const targets = await run("apt-get", ["indextargets", "--format", "$(REPO_URI)"]);
  const found = targets.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  return found?.replace(/\/$/, "") ?? MIRROR;
}

async function systemProxies(): Promise<string[]> {
  const all = await run("apt-config", ["dump"]);
  return all.split("\n").flatMap((line) => (/^Acquire::https?::/.test(line) ? [`${line}\n`] : []));
}

/** "'http://…/libc6_2.41_amd64.deb' libc6_2.41_amd64.deb 2846580 SHA256:…", one a line. */
function packageNames(uris: string): string[] {
  return uris.split("\n").flatMap((line) => /^'\S+' ([^\s_]+)_/.exec(line)?.[1] ?? []);
}

/** @returns what it printed. @throws Error with what it complained of. */
export async function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const result = await runProgram({
    program,
    args,
    timeoutMs: LIMIT_MS,
    env: { ...process.env, LC_ALL: "C", ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (result.status === 0) return result.stdout;
  throw new Error(`${program} ${args.join(" ")} failed: ${result.stderr}`);
}
