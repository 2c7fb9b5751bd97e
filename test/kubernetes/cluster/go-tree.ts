// Kubernetes' source, and Go's compiler for it. Found out by building: see the comments.
import { cp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../../../src/postgres/run-program.ts";
import { KUBERNETES_VERSION } from "./home.ts";

export interface GoTree {
  readonly goRoot: string;
  readonly goPath: string;
  /** Where Go's older way, without modules, looks for it: goPath/src/k8s.io/kubernetes. */
  readonly source: string;
}

const LIMIT_MS = 35 * 60_000;
const OPENAPI = "pkg/generated/openapi";
const OPENAPI_FILE = "zz_generated.openapi";
/** Directories that hold no types of the API. */
const NO_API = /code-generator\/|sample-apiserver\/|_examples|\/testdata\//;
const VERSION_PACKAGES = [
  "k8s.io/kubernetes/vendor/k8s.io/component-base/version",
  "k8s.io/kubernetes/vendor/k8s.io/client-go/pkg/version",
];
/** Cloud providers and Docker's own interface are half of the program. */
const TAGS = "providerless dockerless";

/** Once, right after it was unpacked. */
export async function mendSource(tree: GoTree, of: { reflect2: string }): Promise<void> {
  // With Go 1.18 and later the vendored version ends the API server within minutes.
  const vendored = join(tree.source, "vendor/github.com/modern-go/reflect2");
  await rm(vendored, { recursive: true });
  await cp(of.reflect2, vendored, { recursive: true, dereference: true });
  // A pod that was deleted is there until its container was collected, once a minute.
  const kubelet = join(tree.source, "pkg/kubelet/kubelet.go");
  const text = await readFile(kubelet, "utf8");
  const mended = text.replace("ContainerGCPeriod = time.Minute", "ContainerGCPeriod = time.Second");
  await writeFile(kubelet, mended);
}

/** The one generated file that is not in the archive: the types' description, for apply. */
export async function makeOpenApi(tree: GoTree): Promise<void> {
  if (existsSync(join(tree.source, OPENAPI, `${OPENAPI_FILE}.go`))) return;
  const generator = join(tree.goPath, "openapi-gen");
  const program = "./vendor/k8s.io/kube-openapi/cmd/openapi-gen";
  await go(tree, ["build", "-o", generator, program]);
  const directories = await describedDirectories(tree);
  const unfinished = `${OPENAPI_FILE}.unfinished`;
  await execute(tree, generator, [
    "--logtostderr",
    "-i",
    directories.map((each) => `k8s.io/kubernetes/${each}`).join(","),
    "-p",
    `k8s.io/kubernetes/${OPENAPI}`,
    "-O",
    unfinished,
    "-h",
    "hack/boilerplate/boilerplate.generatego.txt",
    "-r",
    join(tree.goPath, "violations"),
  ]);
  const into = join(tree.source, OPENAPI);
  await rename(join(into, `${unfinished}.go`), join(into, `${OPENAPI_FILE}.go`));
}

/** Compiles one of the programs in cmd/. */
export async function goBuild(
  tree: GoTree,
  of: { component: string; into: string },
): Promise<void> {
  const version = { gitVersion: `v${KUBERNETES_VERSION}`, gitMajor: "1", gitMinor: "20" };
  const values = VERSION_PACKAGES.flatMap((name) =>
    Object.entries({ ...version, gitTreeState: "archive" }).map(
      ([field, value]) => `-X ${name}.${field}=${value}`,
    ),
  );
  const staged = `${of.into}.new`;
  const linking = ["-s -w", ...values].join(" ");
  const options = ["-tags", TAGS, "-ldflags", linking, "-o", staged];
  await go(tree, ["build", ...options, `./cmd/${of.component}`]);
  await rename(staged, of.into);
}

/** With a type that says "+k8s:openapi-gen=". */
async function describedDirectories(tree: GoTree): Promise<string[]> {
  const mark = "+k8s:openapi-gen=";
  const search = ["-rl", "--include=*.go", "-e", mark];
  const own = await execute(tree, "grep", [...search, "pkg", "cmd", "plugin"]);
  const staged = await execute(tree, "grep", [...search, "staging/src/k8s.io"]);
  const files = [...lines(own), ...lines(staged).map(vendoredName)];
  const directories = files.filter((file) => !NO_API.test(file)).map(directoryOf);
  return [...new Set(directories)].sort();
}

function vendoredName(file: string): string {
  return file.replace(/^staging\/src\//, "vendor/");
}

function directoryOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/"));
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

function go(tree: GoTree, args: readonly string[]): Promise<string> {
  return execute(tree, join(tree.goRoot, "bin/go"), args);
}

async function execute(tree: GoTree, program: string, args: readonly string[]): Promise<string> {
  const result = await runProgram({
    program,
    args,
    cwd: tree.source,
    timeoutMs: LIMIT_MS,
    env: {
      PATH: `${join(tree.goRoot, "bin")}:${process.env["PATH"] ?? ""}`,
      HOME: tree.goPath,
      GOROOT: tree.goRoot,
      GOPATH: tree.goPath,
      GOCACHE: join(tree.goPath, "cache"),
      GO111MODULE: "off",
      GOFLAGS: "",
      CGO_ENABLED: "0",
      LC_ALL: "C",
    },
  });
  if (result.status === 0) return result.stdout;
  throw new Error(`${program} ${args[0] ?? ""} failed: ${result.stderr.slice(-2_000)}`);
}
