// The tree of commands. Building it imports no cluster code: help, completion and mistakes in the
// command line are answered at once. Which commands it has is said by whoever builds it
// (all-commands.ts): each is a file to load.
import { Command, Option } from "commander";
import { EXIT_STATUSES } from "../core/errors.ts";
import { parseNotEmpty } from "./arguments.ts";
import { OUTPUT_FORMATS, parseOutputFormat } from "./output/document.ts";
import type { CliContext } from "./session.ts";

/** Commands that stand together in the help. */
export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly ((program: Command, context: CliContext) => void)[];
}

/**
 * @returns the program; parse with `parseAsync(args, { from: "user" })` and give what it throws to
 * `usageError` (usage-error.ts).
 */
export function buildProgram(dependencies: {
  context: CliContext;
  version: string;
  groups: readonly CommandGroup[];
}): Command {
  const { context, version, groups } = dependencies;
  const program = new Command("understudy")
    .description("PostgreSQL streaming replication that runs itself.")
    .usage("COMMAND [options]")
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "how to use it")
    .configureHelp({
      showGlobalOptions: true,
      sortSubcommands: false,
      // Lines are broken where the terminal ends, not where the source does.
      commandDescription: (command) => command.description().replaceAll("\n", " "),
    })
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: () => {},
      getOutHelpWidth: () => Math.min(context.stdout.columns ?? 100, 100),
      getOutHasColors: () => false,
    })
    .exitOverride();
  for (const option of globalOptions()) program.addOption(option);
  program
    .addHelpText(
      "before",
      "Examples:\n  $ understudy up\n  $ understudy status --watch\n  $ understudy switchover\n",
    )
    .addHelpText("after", `\n${exitStatusHelp()}`);
  for (const group of groups) {
    program.commandsGroup(group.title);
    for (const register of group.commands) register(program, context);
  }
  program.helpCommand("help [command]", "how to use a command");
  return program;
}

function globalOptions(): Option[] {
  const output = new Option("-o, --output <format>", "the form of what is printed")
    .argParser(parseOutputFormat)
    .env("UNDERSTUDY_OUTPUT");
  // For help and completion; with choices() commander's own sentence would replace ours.
  output.argChoices = [...OUTPUT_FORMATS];
  return [
    new Option("--name <cluster>", "which cluster").env("UNDERSTUDY_NAME"),
    new Option("--dir <directory>", "where the cluster is kept")
      .argParser(parseNotEmpty)
      .env("UNDERSTUDY_DIR"),
    new Option("--context <name>", "on Kubernetes: of the kubeconfig").env("UNDERSTUDY_CONTEXT"),
    new Option("--namespace <name>", "on Kubernetes: also -n, but for logs and events")
      .argParser(parseNotEmpty)
      .env("UNDERSTUDY_KUBERNETES_NAMESPACE"),
    output,
    new Option("--json", "short for -o json"),
    new Option("-y, --yes", "answer yes to every question (env: UNDERSTUDY_YES=1)"),
    new Option("--no-color", "no colours; NO_COLOR does the same"),
  ];
}

function exitStatusHelp(): string {
  const lines = Object.entries(EXIT_STATUSES).map(
    ([exit, meaning]) => `  ${exit.padStart(3)}  ${meaning}`,
  );
  return `Exit statuses:\n${lines.join("\n")}`;
}
