// Which commands are loaded for what was typed. All of them take as long to load as Node takes to
// start, so `up`, in which nothing happens before, is loaded alone.
import type { CommandGroup } from "./program.ts";

const WITH_VALUE: ReadonlySet<string> = new Set([
  "--name",
  "--dir",
  "--context",
  "--namespace",
  "-n",
  "-o",
  "--output",
]);
const ALONE = /^(--json|-y|--yes|--no-color|--(name|dir|context|namespace|output)=.*)$/;
/** Theirs is how many lines. */
const OWN_N: ReadonlySet<string> = new Set(["logs", "events"]);

/** @param args what was typed after the program's name. */
export async function neededCommands(args: readonly string[]): Promise<readonly CommandGroup[]> {
  if (commandIn(args) === "up") {
    const { register } = await import("./commands/up.ts");
    return [{ title: "Start and stop:", commands: [register] }];
  }
  const { ALL_COMMANDS } = await import("./all-commands.ts");
  return ALL_COMMANDS;
}

/**
 * kubectl's users write -n for the namespace, and `logs` and `events` have it for something else:
 * there it is left to them.
 */
export function withNamespace(args: readonly string[]): string[] {
  if (OWN_N.has(commandIn(args) ?? "")) return [...args];
  const end = args.indexOf("--");
  return args.map((word, at) => (word === "-n" && (end === -1 || at < end) ? "--namespace" : word));
}

/** The first word that is no global option nor the value of one; null where that is not certain. */
export function commandIn(args: readonly string[]): string | null {
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] ?? "";
    if (WITH_VALUE.has(word)) at += 1;
    else if (!ALONE.test(word)) return word.startsWith("-") ? null : word;
  }
  return null;
}
