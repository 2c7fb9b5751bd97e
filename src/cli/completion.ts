// Completion: what may stand next, out of the tree of commands itself, so that it is never out of
// date. The scripts that shells load ask for it on each Tab.
import type { Argument, Command, Option } from "commander";
import { OfferingArgument } from "./offering-argument.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Words that are known now, and what must be asked for. */
export interface Completion {
  readonly words: readonly { readonly word: string; readonly meaning: string }[];
  readonly live: "clusters" | "members" | "files" | null;
}

const NOTHING: Completion = { words: [], live: null };
const MEMBER_NAMES: ReadonlySet<string> = new Set(["member", "to"]);

/**
 * @param typed the words after "understudy"; the last one is what is being typed, "" when it is
 * new.
 */
export function completionOf(program: Command, typed: readonly string[]): Completion {
  const split = splitAssignment(typed);
  if (split !== null) {
    const whole = completionOf(program, split.typed);
    const words = whole.words.map(({ word, meaning }) => ({
      word: word.slice(split.typedAlready.length),
      meaning,
    }));
    return { ...whole, words };
  }
  const current = typed.at(-1) ?? "";
  const before = typed.slice(0, -1);
  if (before.includes("--")) return { ...NOTHING, live: "files" };
  const place = walk(program, before);
  if (place.awaiting !== null) return valuesOf(place.awaiting);
  const found = current.startsWith("-")
    ? optionsOf(place.command)
    : operandsOf(place.command, place.operands);
  return { ...found, words: found.words.filter(({ word }) => word.startsWith(current)) };
}

/**
 * bash gives "key=value" as three words, and wants only what comes after the last of them began.
 */
function splitAssignment(
  typed: readonly string[],
): { typed: readonly string[]; typedAlready: string } | null {
  const at = typed.at(-1) === "=" ? typed.length - 1 : typed.length - 2;
  const [key, equals, value = ""] = typed.slice(at - 1);
  if (at < 1 || equals !== "=" || key === undefined) return null;
  // A lone "=" is still being typed: bash replaces it as well.
  const typedAlready = at === typed.length - 1 ? key : `${key}=`;
  return { typed: [...typed.slice(0, at - 1), `${key}=${value}`], typedAlready };
}

interface Place {
  readonly command: Command;
  /** How many arguments of the command itself are there already. */
  readonly operands: number;
  /** The option whose value is being typed. */
  readonly awaiting: Option | null;
}

function walk(program: Command, words: readonly string[]): Place {
  let command = program;
  let operands = 0;
  let awaiting: Option | null = null;
  for (const word of words) {
    if (awaiting !== null) {
      awaiting = null;
      continue;
    }
    if (word.startsWith("-")) {
      const option = knownOptions(command).find(
        (each) => each.long === word || each.short === word,
      );
      awaiting = option?.required === true ? option : null;
      continue;
    }
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) operands += 1;
    else command = next;
  }
  return { command, operands, awaiting };
}

function knownOptions(command: Command): Option[] {
  const own = command.options.filter((option) => !option.hidden);
  return command.parent === null ? own : [...own, ...knownOptions(command.parent)];
}

function optionsOf(command: Command): Completion {
  const words = knownOptions(command).flatMap((option) =>
    option.long ? [{ word: option.long, meaning: option.description }] : [],
  );
  return { words: [...words, { word: "--help", meaning: "how to use it" }], live: null };
}

function operandsOf(command: Command, operands: number): Completion {
  if (command.commands.length > 0) {
    const visible = command.createHelp().visibleCommands(command);
    const words = visible.map((each) => ({ word: each.name(), meaning: each.summary() }));
    return { words, live: null };
  }
  const known = command.registeredArguments;
  const argument: Argument | undefined =
    known[operands] ?? (known.at(-1)?.variadic === true ? known.at(-1) : undefined);
  if (argument === undefined) return NOTHING;
  const offered = argument instanceof OfferingArgument ? argument.offers : argument.argChoices;
  return choices(offered) ?? liveOf(argument.name());
}

function valuesOf(option: Option): Completion {
  return choices(option.argChoices) ?? liveOf(option.attributeName());
}

function choices(values: readonly string[] | undefined): Completion | null {
  if (values === undefined) return null;
  return { words: values.map((word) => ({ word, meaning: "" })), live: null };
}

function liveOf(name: string): Completion {
  if (MEMBER_NAMES.has(name)) return { ...NOTHING, live: "members" };
  if (name === "name") return { ...NOTHING, live: "clusters" };
  return name === "dir" || name === "pgBin" ? { ...NOTHING, live: "files" } : NOTHING;
}

/**
 * The script that a shell loads. `__complete` prints one word a line, then a tab and its meaning.
 */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion of understudy. Load it with: source <(understudy completion bash)
_understudy() {
  local line words
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  while IFS= read -r line; do
    [[ $line == :files ]] && { compopt -o default; continue; }
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(understudy __complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _understudy understudy
`,
  zsh: `#compdef understudy
# zsh completion of understudy. Load it with: source <(understudy completion zsh)
_understudy() {
  local line files=0
  local -a found
  for line in "\${(@f)$(understudy __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :files ]]; then files=1; continue; fi
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#found} )) && _describe understudy found
  (( files )) && _files
}
if [[ $funcstack[1] == _understudy ]]; then _understudy; else compdef _understudy understudy; fi
`,
  fish: `# fish completion of understudy. Load it with: understudy completion fish | source
function __understudy_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  understudy __complete -- $words[2..-1] "$current" 2>/dev/null | string match -v ':files'
end
complete -c understudy -f -a '(__understudy_complete)'
complete -c understudy -n 'contains -- (commandline -opc)[-1] --dir --pg-bin' -F
`,
};
