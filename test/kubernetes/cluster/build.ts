// Builds the tests' Kubernetes: Debian's source package of it, with Debian's Go compiler, which is
// unpacked into the cache and not installed. Done once; whoever comes while it is being built waits
// for it. As a program: `node test/kubernetes/cluster/build.ts [nodes]`.
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, rename, rm } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { tryLock } from "../../../src/store/process-lock.ts";
import { run, fetchDebianSource, unpackDebianPackages } from "../../support/debian-packages.ts";
import { openTestCache } from "../../support/installations.ts";
import { goBuild, makeOpenApi, mendSource, type GoTree } from "./go-tree.ts";
import { areNodesBuilt, isApiBuilt, kubernetesHome, NODE_PROGRAMS, programPath } from "./home.ts";

const RELEASE = "bookworm";
const GO = "golang-1.19";
/** The vendored one does not work with this Go. */
const REFLECT2 = "golang-github-modern-go-reflect2-dev";
const PACKAGES = [`${GO}-go`, `${GO}-src`, REFLECT2, "etcd-server"];
const WAIT_LIMIT_MS = 60 * 60_000;
const LOOK_MS = 500;

/**
 * etcd and kube-apiserver, if they are not there yet.
 * @throws Error of the step that failed; what was done before it need not be done again.
 */
export async function buildApi(): Promise<void> {
  await buildOnce({ isBuilt: isApiBuilt, components: ["kube-apiserver"] });
}

/** As buildApi, and what pods need beside it. */
export async function buildNodes(): Promise<void> {
  await buildOnce({ isBuilt: areNodesBuilt, components: ["kube-apiserver", ...NODE_PROGRAMS] });
}

interface Stage {
  readonly isBuilt: () => boolean;
  readonly components: readonly string[];
}

async function buildOnce(stage: Stage): Promise<void> {
  if (stage.isBuilt()) return;
  const home = kubernetesHome();
  await openTestCache();
  await mkdir(join(home, "bin"), { recursive: true });
  const deadline = performance.now() + WAIT_LIMIT_MS;
  for (;;) {
    using lock = tryLock(join(home, "build.lock"));
    if (stage.isBuilt()) return;
    if (lock !== null) return buildAlone(home, stage);
    if (performance.now() > deadline) throw new Error(`${home} is being built for too long`);
    await delay(LOOK_MS);
  }
}

async function buildAlone(home: string, { components }: Stage): Promise<void> {
  const debian = await unpackPackages(home);
  const etcd = join(debian, "usr/bin/etcd");
  const tree = await unpackSource(home, debian);
  await makeOpenApi(tree);
  for (const component of components)
    if (!existsSync(programPath(component)))
      await goBuild(tree, { component, into: programPath(component) });
  const staged = `${programPath("etcd")}.new`;
  await copyFile(etcd, staged);
  await chmod(staged, 0o755);
  await rename(staged, programPath("etcd"));
  // Two gigabytes that only the next build would use.
  for (const name of ["debian", "go"]) await rm(join(home, name), { recursive: true, force: true });
}

async function unpackPackages(home: string): Promise<string> {
  const into = join(home, "debian");
  if (existsSync(into)) return into;
  const staging = `${into}.new`;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging);
  const needed = (name: string) => PACKAGES.includes(name);
  await unpackDebianPackages({ release: RELEASE, packages: PACKAGES, needed, into: staging });
  await rename(staging, into);
  return into;
}

async function unpackSource(home: string, debian: string): Promise<GoTree> {
  const goPath = join(home, "go");
  const source = join(goPath, "src/k8s.io/kubernetes");
  const tree = { goRoot: join(debian, "usr/lib/go-1.19"), goPath, source };
  if (existsSync(source)) return tree;
  const archives = join(home, "archives");
  const staging = join(goPath, "unpacking");
  for (const directory of [archives, staging])
    await rm(directory, { recursive: true, force: true });
  await mkdir(archives);
  await mkdir(staging, { recursive: true });
  await fetchDebianSource({ release: RELEASE, name: "kubernetes", into: archives });
  const original = (await readdir(archives)).find((name) => name.includes(".orig.tar."));
  if (original === undefined) throw new Error(`there is no source archive in ${archives}`);
  await run("tar", ["-xf", join(archives, original), "-C", staging, "--strip-components=1"]);
  const reflect2 = join(debian, "usr/share/gocode/src/github.com/modern-go/reflect2");
  await mendSource({ ...tree, source: staging }, { reflect2 });
  await mkdir(join(goPath, "src/k8s.io"), { recursive: true });
  await rename(staging, source);
  await rm(archives, { recursive: true });
  return tree;
}

if (import.meta.main) {
  // Tests run beside it, and go before.
  setPriority(constants.priority.PRIORITY_LOW);
  await (process.argv[2] === "nodes" ? buildNodes() : buildApi());
}
