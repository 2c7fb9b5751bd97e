// The house as data: which folder of src may import which other, and which npm packages.
// docs/architecture.md prints this table; layers.test.ts holds the code to it.
import { importsOf } from "./imports.ts";
import type { SourceFile } from "./source-tree.ts";

interface Layer {
  readonly purpose: string;
  /** Other folders of src. Everything may import itself. */
  readonly imports: readonly string[];
  readonly packages: readonly string[];
  /** Planned: nothing is there yet. */
  readonly reserved?: true;
}

export const LAYERS: Readonly<Record<string, Layer>> = {
  core: {
    purpose:
      "values, the record, the specification, the protocol's decisions, the error table; pure",
    imports: [],
    packages: ["valibot"],
  },
  wire: {
    purpose: "PostgreSQL's protocol, bytes to messages and back; pure",
    imports: ["core"],
    packages: [],
    reserved: true,
  },
  postgres: {
    purpose: "one PostgreSQL server, on disk and running",
    imports: ["core"],
    packages: ["pg"],
  },
  "kubernetes-api": {
    purpose: "the Kubernetes API: objects over HTTPS, watches, what they prove",
    imports: ["core"],
    packages: [],
  },
  store: {
    purpose: "the record's three operations: read, write if unchanged, watch",
    imports: ["core", "kubernetes-api"],
    packages: [],
  },
  agent: {
    purpose: "runs one member",
    imports: ["core", "kubernetes-api", "postgres", "store"],
    packages: ["pg", "valibot"],
  },
  router: {
    purpose: "one port for applications",
    imports: ["core", "wire"],
    packages: [],
    reserved: true,
  },
  kubernetes: {
    purpose: "the custom resource, the objects that it becomes, the operator",
    imports: ["core", "kubernetes-api", "store"],
    packages: ["valibot"],
  },
  client: {
    purpose: "the library for applications",
    imports: ["core"],
    packages: [],
    reserved: true,
  },
  local: {
    purpose: "a whole cluster on this machine",
    imports: ["core", "postgres", "store", "agent"],
    packages: ["pg", "valibot"],
  },
  testing: {
    purpose: "a cluster as a fixture for other people's tests",
    imports: ["core", "local"],
    packages: [],
    reserved: true,
  },
  dashboard: {
    purpose: "the web page and the stream that feeds it",
    imports: ["core"],
    packages: [],
    reserved: true,
  },
  cli: {
    purpose: "one file per command; puts everything together",
    imports: [
      "core",
      "postgres",
      "store",
      "agent",
      "local",
      "router",
      "kubernetes-api",
      "kubernetes",
    ],
    packages: ["commander", "yaml", "pg"],
  },
};

/** Only *.test.ts may import these, from any folder. */
const TEST_PACKAGES = ["fast-check"];

/** One sentence per import that the table does not allow. */
export function layerViolations(file: SourceFile, layers = LAYERS): string[] {
  const folder = folderOf(file.path);
  const layer = folder === undefined ? undefined : layers[folder];
  if (folder === undefined) return [];
  if (layer === undefined) return [`${file.path}: src/${folder} is not in the table of layers`];
  const isTest = file.path.endsWith(".test.ts");
  return importsOf(file).flatMap((item) => {
    const { kind, target, specifier } = item;
    if (kind === "node")
      return folder === "core" && !isTest
        ? [`${file.path}: core names the Node module ${specifier}`]
        : [];
    if (kind === "package") {
      const allowed = isTest ? [...layer.packages, ...TEST_PACKAGES] : layer.packages;
      return allowed.includes(target)
        ? []
        : [`${file.path}: ${folder} may not use the package ${target}`];
    }
    const other = folderOf(target);
    if (other === undefined && isTest && target.startsWith("test/")) return [];
    if (other === undefined) return [`${file.path}: imports ${specifier}, which is outside of src`];
    if (other === folder || layer.imports.includes(other)) return [];
    return [`${file.path}: ${folder} may not import ${other} (${specifier})`];
  });
}

/** The table as docs/architecture.md prints it. */
export function layersTable(layers = LAYERS): string {
  const rows = Object.entries(layers).map(([name, { purpose, imports, packages, reserved }]) => {
    const note = reserved ? " (reserved: nothing is there yet)" : "";
    return `| \`${name}\` | ${purpose}${note} | ${listed(imports)} | ${listed(packages)} |`;
  });
  const head = [
    "| folder of `src` | what it is | may import | npm packages |",
    "|---|---|---|---|",
  ];
  return [...head, ...rows].join("\n");
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "nothing" : names.map((name) => `\`${name}\``).join(", ");
}

/** "core" of "src/core/lsn.ts". */
function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}
