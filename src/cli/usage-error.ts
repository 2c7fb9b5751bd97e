// A command line that is wrong, in our own words: what was typed, why it cannot be, and where that
// command's help is.
import type { Command, CommanderError } from "commander";
import { ERRORS, UnderstudyError } from "../core/errors.ts";

/**
 * What commander says about a command line, as one of our errors.
 * @returns null when it was no mistake: help or the version was printed.
 */
export function usageError(
  thrown: CommanderError,
  typed: readonly string[],
): UnderstudyError | null {
  if (thrown.exitCode === 0) return null;
  if (thrown.code === "commander.help") return incomplete(typed);
  const [sentence = "", suggestion] = thrown.message
    .replace(/^error: /, "")
    .split(/\n?\(Did you mean (?:one of )?/);
  const nearest = suggestion?.replace(/\?\)$/, "");
  const message = inOurWords(sentence.trim().replaceAll("'", '"'));
  if (nearest === undefined) return new UnderstudyError("USAGE", message);
  return new UnderstudyError("USAGE", message, { hint: `Did you mean ${nearest}?` });
}

/** Where no better hint is known: the help of the command that was meant. */
export function withItsHelp(
  error: UnderstudyError,
  of: { program: Command; typed: readonly string[] },
): UnderstudyError {
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

function commandIn({ program, typed }: { program: Command; typed: readonly string[] }): string[] {
  const path: string[] = [];
  let at = program;
  for (const word of typed) {
    const found = at.commands.find((each) => each.name() === word);
    if (found === undefined) continue;
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
function incomplete(typed: readonly string[]): UnderstudyError {
  const group = typed.find((word) => /^[a-z]/.test(word));
  if (group === undefined)
    return new UnderstudyError("USAGE", "there is no command", {
      hint: "Begin with: understudy up. All of them: understudy help",
    });
  return new UnderstudyError("USAGE", `"${group}" needs another word after it`, {
    hint: `See: understudy help ${group}`,
  });
}
