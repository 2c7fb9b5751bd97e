// A command line that is wrong, in our own words: what was typed, why it cannot be, and where that
// command's help is.
import type { Command, CommanderError } from "commander";
import { ERRORS, UnderstudyError } from "../core/errors.ts";

export interface CommandLine {
  readonly program: Command;
  readonly typed: readonly string[];
}

/**
 * What commander says about a command line, as one of our errors.
 * @returns null when it was no mistake: help or the version was printed.
 */
export function usageError(thrown: CommanderError, of: CommandLine): UnderstudyError | null {
  if (thrown.exitCode === 0) return null;
  if (thrown.code === "commander.help") return incomplete(of);
  const [sentence = "", suggestion] = thrown.message
    .replace(/^error: /, "")
    .split(/\n?\(Did you mean (?:one of )?/);
  const nearest = suggestion?.replace(/\?\)$/, "");
  const message = inOurWords(sentence.trim().replaceAll("'", '"'));
  if (nearest === undefined) return new UnderstudyError("USAGE", message);
  return new UnderstudyError("USAGE", message, { hint: `Did you mean ${nearest}?` });
}

/** Where no better hint is known: the help of the command that was meant. */
export function withItsHelp(error: UnderstudyError, of: CommandLine): UnderstudyError {
  if (error.code !== "USAGE" || error.hint !== ERRORS.USAGE.remedy) return error;
  const path = commandIn(of);
  if (path.length === 0) return error;
  const hint = `See: understudy ${path.join(" ")} --help`;
  return new UnderstudyError("USAGE", error.message, {
    details: error.details,
    hint,
    cause: error,
  });
}

/** A cluster may have the name of a command: what follows an option for a cluster is none. */
function commandIn({ program, typed }: CommandLine): string[] {
  const path: string[] = [];
  let at = program;
  for (const [index, word] of typed.entries()) {
    const found = at.commands.find((each) => each.name() === word);
    const isValue = ["--name", "--dir", "-o", "--output"].includes(typed[index - 1] ?? "");
    if (found === undefined || isValue) continue;
    path.push(word);
    at = found;
  }
  return path;
}

/** What is not known here stays as commander has said it. */
function inOurWords(sentence: string): string {
  const found = REWORDED.find(({ pattern }) => pattern.test(sentence));
  return found === undefined ? sentence : sentence.replace(found.pattern, found.words);
}

const REWORDED: readonly { readonly pattern: RegExp; readonly words: string }[] = [
  {
    pattern: /^option "(--[\w-]+|-\w, --[\w-]+) (<.+>)" argument missing$/,
    words: "$1 needs a value: $2",
  },
  {
    pattern: /^missing required argument "(.+)"$/,
    words: "a word is missing behind the command: <$1>",
  },
  {
    pattern: /^too many arguments for "(.+)"\. Expected 0 arguments but got \d+: (.+)\.$/,
    words: '"$1" takes no word behind it, not $2',
  },
  {
    pattern: /^too many arguments for "(.+)"\. Expected (\d+) arguments? but got (\d+): (.+)\.$/,
    words: '"$1" takes no more than $2 of these $3: $4',
  },
  {
    pattern:
      /^command-argument value "(.*)" is invalid for argument "(.+)"\. Allowed choices are (.+)\.$/,
    words: '"$1" is no $2: choose one of $3',
  },
  {
    pattern: /^option "(.+)" argument "(.*)" is invalid\. Allowed choices are (.+)\.$/,
    words: '"$2" is no value for $1: choose one of $3',
  },
  {
    pattern: /^unknown option "(--[\w-]+)=(.*)"$/,
    words: 'unknown option "$1=$2": there is none of that name that takes a value',
  },
];

/** "understudy" alone, or the name of a group of commands alone. */
function incomplete(of: CommandLine): UnderstudyError {
  const group = commandIn(of).join(" ");
  if (group === "")
    return new UnderstudyError("USAGE", "there is no command", {
      hint: "Begin with: understudy up. All of them: understudy help",
    });
  return new UnderstudyError("USAGE", `"${group}" needs another word after it`, {
    hint: `See: understudy help ${group}`,
  });
}
