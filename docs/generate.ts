// `npm run docs`: writes what the documentation shares with the code. test/tidy compares the files
// with what is made here, so that neither can change alone.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PassThrough } from "node:stream";
import type { Command } from "commander";
import { ALL_COMMANDS } from "../src/cli/all-commands.ts";
import { buildProgram } from "../src/cli/program.ts";
import { CLUSTER_KEYS } from "../src/core/config/cluster-keys.ts";
import type { ConfigKey } from "../src/core/config/key.ts";
import { MEMBER_KEYS } from "../src/core/config/member-keys.ts";
import { newRecord } from "../src/core/record.ts";
import { explainRules, PART_CHANGES } from "../src/core/protocol/explain.ts";
import { ORDERS } from "../src/core/protocol/orders.ts";
import { TABLE } from "../src/core/protocol/rules.ts";
import { GROUNDS, PARTS } from "../src/core/protocol/situation.ts";
import { ERRORS, EXIT_STATUSES } from "../src/core/errors.ts";
import { specSchema } from "../src/kubernetes/resource/cluster-schema.ts";
import { structuralSchema, type StructuralSchema } from "../src/kubernetes/resource/structural.ts";
import { layersTable } from "../test/tidy/layers.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const NOTE = "<!-- Made by `npm run docs` from src/core/errors.ts. -->";

/** Path from the root -> whole text. */
export function generatedFiles(): Readonly<Record<string, string>> {
  const architecture = readFileSync(join(ROOT, "docs/architecture.md"), "utf8");
  const protocol = readFileSync(join(ROOT, "docs/protocol.md"), "utf8");
  return {
    "docs/reference/cli.md": commandsPage(),
    "docs/reference/errors.md": errorsPage(),
    "docs/reference/exit-codes.md": exitStatusPage(),
    "docs/reference/postgrescluster.md": postgresClusterPage(),
    "docs/reference/settings.md": settingsPage(),
    "docs/protocol.md": protocol
      .replace(blockOf("situations"), () => `${situationsTable()}\n`)
      .replace(blockOf("rules"), () => `${rulesTable()}\n`)
      .replace(blockOf("orders"), () => `${ordersTable()}\n`)
      .replace(blockOf("diagram"), () => `${diagram()}\n`),
    "docs/architecture.md": architecture.replace(blockOf("layers"), () => `${layersTable()}\n`),
  };
}

function blockOf(name: string): RegExp {
  return new RegExp(`(?<=<!-- ${name} -->\\n)[^]*?(?=<!-- /${name} -->)`);
}

/** Part by ground: the rule of each situation. */
function situationsTable(): string {
  const header = ["", ...PARTS].join(" | ");
  const rows = GROUNDS.map((ground) =>
    [`**${ground}**`, ...PARTS.map((part) => TABLE[part][ground])].join(" | "),
  );
  return [
    `| ${header} |`,
    `|${"---|".repeat(PARTS.length + 1)}`,
    ...rows.map((row) => `| ${row} |`),
  ].join("\n");
}

/** What is done because a person said so. */
function ordersTable(): string {
  const rows = Object.entries(ORDERS).map(([order, sentence]) => `| \`${order}\` | ${sentence} |`);
  return ["| order | what and why |", "|---|---|", ...rows].join("\n");
}

function rulesTable(): string {
  const rows = explainRules().map(
    ({ rule, effect, sentence, beside }) =>
      `| \`${rule}\` | ${effect} | ${sentence}${beside === null ? "" : ` *${beside}*`} |`,
  );
  return ["| rule | effect | what and why |", "|---|---|---|", ...rows].join("\n");
}

/** How a member's part changes; each arrow is a change of the record or what a witness proves. */
function diagram(): string {
  const arrows = PART_CHANGES.map(({ from, to, by }) => `  ${from} --> ${to}: ${by}`);
  return ["```mermaid", "stateDiagram-v2", ...arrows, "```"].join("\n");
}

/** The help of every command, as it is printed at 100 columns. */
function commandsPage(): string {
  const stream = Object.assign(new PassThrough(), { columns: 100 });
  const program = buildProgram({
    version: "",
    groups: ALL_COMMANDS,
    context: {
      args: [],
      env: {},
      uid: 1000,
      stdin: stream,
      stdout: stream,
      stderr: stream,
      signal: AbortSignal.abort(),
      outputClosed: AbortSignal.abort(),
      loadLocal: () => Promise.reject(new Error("only help is wanted")),
      setExitStatus: () => {},
      handOverTerminal: () => () => {},
    },
  });
  const note = "<!-- Made by `npm run docs` from the command tree in src/cli. -->";
  const sections = everyCommandOf(program).map(
    ({ name, command }) => `## ${name}\n\n\`\`\`\n${command.helpInformation().trim()}\n\`\`\``,
  );
  return `${["# Commands", note, ...sections].join("\n\n")}\n`;
}

function everyCommandOf(command: Command, above = ""): { name: string; command: Command }[] {
  const name = `${above}${command.name()}`;
  return [
    { name, command },
    ...command.commands.flatMap((part) => everyCommandOf(part, `${name} `)),
  ];
}

/** What `config` and `member` set. */
function settingsPage(): string {
  const member = { host: "", port: 0, apiPort: 0, tags: {} };
  const record = newRecord({ cluster: "", founder: "", ttlMs: 0, members: {} });
  return `${[
    "# Settings",
    "<!-- Made by `npm run docs` from src/core/config. -->",
    "How Understudy itself behaves. They are kept in the cluster's record, and take effect with it. PostgreSQL's own parameters\n" +
      "are set by `understudy param`.",
    "## Of the cluster: `understudy config`",
    keysTable(CLUSTER_KEYS, record),
    "## Of one member: `understudy member`",
    keysTable(MEMBER_KEYS, member),
  ].join("\n\n")}\n`;
}

function keysTable<Part>(keys: readonly ConfigKey<Part>[], fresh: Part): string {
  const rows = keys.map(
    (key) => `| \`${key.name}\` | ${key.takes} | \`${key.show(fresh).text}\` | ${key.meaning} |`,
  );
  return ["| setting | takes | default | what it does |", "|---|---|---|---|", ...rows].join("\n");
}

/** What the custom resource may say. */
function postgresClusterPage(): string {
  return `${[
    "# PostgresCluster",
    "<!-- Made by `npm run docs` from src/kubernetes/resource. -->",
    "The custom resource `understudy.dev/v1alpha1`: one object, one cluster. `kubectl explain postgrescluster.spec` says the same.",
    [
      "| field | takes | default | what it is |",
      "|---|---|---|---|",
      ...fieldRows(structuralSchema(specSchema), "spec"),
    ].join("\n"),
    "## Rules between fields",
    fieldRules(structuralSchema(specSchema), "spec")
      .map(({ path, message }) => `- \`${path}\`: ${message}.`)
      .join("\n"),
  ].join("\n\n")}\n`;
}

function fieldRows(schema: StructuralSchema, path: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const below = `${path}.${name}${field.type === "array" ? "[]" : ""}`;
    const isNeeded = schema.required?.includes(name) === true;
    const row = fieldRow({ path: `${path}.${name}`, field, isNeeded });
    return [row].concat(fieldRows(field.items ?? field, below));
  });
}

function fieldRow(of: { path: string; field: StructuralSchema; isNeeded: boolean }): string {
  const { path, field, isNeeded } = of;
  const { default: fallback, description = "" } = field;
  const isPlain = typeof fallback !== "object" && fallback !== undefined && fallback !== "";
  const usual = isPlain ? `\`${String(fallback)}\`` : "";
  return `| \`${path}\` | ${takesOf(field)} | ${isNeeded ? "*needed*" : usual} | ${description} |`;
}

function takesOf(field: StructuralSchema): string {
  const { minimum, maximum } = field;
  if (field.enum !== undefined) return field.enum.join(", ");
  if (field.type === "integer")
    return minimum === undefined ? "whole number" : `${minimum} to ${maximum}`;
  if (field.type === "array") return "list";
  if (field.type === "boolean") return "true or false";
  if (field.type === "object") return field.properties === undefined ? "map" : "fields";
  return "text";
}

function fieldRules(schema: StructuralSchema, path: string): { path: string; message: string }[] {
  const rules = (schema["x-kubernetes-validations"] ?? []) as { message: string }[];
  const { items, properties = {} } = schema;
  return [
    ...rules.map(({ message }) => ({ path, message })),
    ...Object.entries(properties).flatMap(([name, each]) => fieldRules(each, `${path}.${name}`)),
    ...(items === undefined ? [] : fieldRules(items, `${path}[]`)),
  ];
}

function errorsPage(): string {
  const entries = Object.entries(ERRORS).map(
    ([code, { exit, meaning, remedy }]) =>
      `## ${code}\n\n${meaning}\n\n${remedy}\n\nExit status ${exit}.`,
  );
  const intro =
    "Every error that Understudy reports has one of these codes. With `-o json` an error is an object with\n" +
    "`code`, `message`, `hint` and `details` on standard error; codes do not change within a major version.";
  return `${["# Errors", NOTE, intro, ...entries].join("\n\n")}\n`;
}

function exitStatusPage(): string {
  const rows = Object.entries(EXIT_STATUSES).map(
    ([status, meaning]) => `| ${status} | ${meaning} | ${codesOf(Number(status))} |`,
  );
  return `${["# Exit statuses", NOTE, ["| status | meaning | errors |", "|---|---|---|", ...rows].join("\n")].join("\n\n")}\n`;
}

function codesOf(status: number): string {
  return Object.entries(ERRORS)
    .filter(([, { exit }]) => exit === status)
    .map(([code]) => `[${code}](errors.md#${code.toLowerCase()})`)
    .join(", ");
}

if (import.meta.main)
  for (const [path, text] of Object.entries(generatedFiles()))
    writeFileSync(join(ROOT, path), text);
