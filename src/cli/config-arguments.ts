// What `config` and `member` share: settings as they are typed, checked against the table of keys
// before a cluster is looked for, and shown as a table.
import { Argument, Option } from "commander";
import { findKey, type Assignment, type ConfigKey, type ConfigRow } from "../core/config/key.ts";
import { UnderstudyError } from "../core/errors.ts";
import { OfferingArgument } from "./offering-argument.ts";
import { harmless } from "./output/text.ts";
import type { Column } from "./output/table.ts";

export interface ConfigOptions {
  readonly reset?: readonly string[];
  readonly dryRun?: boolean;
}

/** `[settings...]`; a shell is offered every key with the values that are worth offering. */
export function settingsArgument<Part>(keys: readonly ConfigKey<Part>[]): Argument {
  return new OfferingArgument("[settings...]", {
    description: `name=value, of ${namesOf(keys)}`,
    offers: keys.flatMap(({ name, words }) => words.map((word) => `${name}=${word}`)),
  });
}

/** `[keys...]` of show. */
export function keysArgument<Part>(keys: readonly ConfigKey<Part>[]): Argument {
  const argument = new Argument("[keys...]", "which");
  argument.argChoices = keys.map(({ name }) => name);
  return argument;
}

export function resetOption<Part>(keys: readonly ConfigKey<Part>[]): Option {
  const option = new Option("--reset <key>", "back to the default; may be repeated").argParser(
    (name: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), name],
  );
  option.argChoices = keys.map(({ name }) => name);
  return option;
}

/** For the foot of a command's help. */
export function keysHelp<Part>(keys: readonly ConfigKey<Part>[]): string {
  const lines = keys.map(({ name, takes, meaning }) => `  ${name}: ${takes}\n      ${meaning}`);
  return `\nSettings:\n${lines.join("\n")}`;
}

/**
 * @throws UnderstudyError USAGE: nothing to set, no name=value, an unknown key, or one that is
 * named twice.
 */
export function parseAssignments<Part>(
  typed: { settings: readonly string[]; reset: readonly string[] },
  keys: readonly ConfigKey<Part>[],
): Assignment[] {
  const assignments = [
    ...typed.settings.map(parseSetting),
    ...typed.reset.map((key) => ({ key, text: null })),
  ].map(({ key, text }) => {
    const found = findKey(keys, key);
    if (text !== null) found.check(text);
    return { key: found.name, text };
  });
  if (assignments.length === 0)
    throw new UnderstudyError("USAGE", "there is nothing to set", {
      hint: `Write name=value; known are: ${namesOf(keys)}.`,
    });
  const names = assignments.map(({ key }) => key);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new UnderstudyError("USAGE", `${twice} is named twice`);
  return assignments;
}

function parseSetting(text: string): Assignment {
  const at = text.indexOf("=");
  if (at > 0) return { key: text.slice(0, at).trim(), text: text.slice(at + 1).trim() };
  throw new UnderstudyError("USAGE", `${JSON.stringify(text)} is no setting: write name=value`);
}

export const CONFIG_COLUMNS = [
  { header: "SETTING", text: (row) => row.key },
  { header: "VALUE", text: (row) => harmless(row.text) },
  { header: "SET BY", text: (row) => (row.isDefault ? "default" : "user") },
  { header: "TAKES", text: (row) => row.takes, drop: 2 },
  { header: "MEANING", text: (row) => row.meaning, drop: 3 },
] as const satisfies readonly Column<ConfigRow>[];

function namesOf<Part>(keys: readonly ConfigKey<Part>[]): string {
  return keys.map(({ name }) => name).join(", ");
}
