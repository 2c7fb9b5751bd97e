// The whole tree of commands. Building it imports no cluster code: help, completion and mistakes in
// the command line are answered at once.
import { Command, Option } from "commander";
import { EXIT_STATUSES } from "../core/errors.ts";
import { parseNotEmpty } from "./arguments.ts";
import { OUTPUT_FORMATS, parseOutputFormat } from "./output/document.ts";
import type { CliContext } from "./session.ts";
import { register as completion } from "./commands/completion.ts";
import { register as config } from "./commands/config.ts";
import { register as doctor } from "./commands/doctor.ts";
import { register as drill } from "./commands/drill.ts";
import { register as down } from "./commands/down.ts";
import { register as explain } from "./commands/explain.ts";
import { register as failover } from "./commands/failover.ts";
import { register as fence } from "./commands/fence.ts";
import { register as kubernetes } from "./commands/kubernetes.ts";
import { register as logs } from "./commands/logs.ts";
import { register as member } from "./commands/member.ts";
import { register as operator } from "./commands/operator.ts";
import { register as param } from "./commands/param.ts";
import { register as pause } from "./commands/pause.ts";
import { register as psql } from "./commands/psql.ts";
import { register as reclone } from "./commands/reclone.ts";
import { register as restart } from "./commands/restart.ts";
import { register as sql } from "./commands/sql.ts";
import { register as standby } from "./commands/standby.ts";
import { register as status } from "./commands/status.ts";
import { register as switchover } from "./commands/switchover.ts";
import { register as up } from "./commands/up.ts";
import { register as url } from "./commands/url.ts";

const GROUPS = [
  { title: "Start and stop:", commands: [up, down] },
  { title: "Look:", commands: [status, logs, explain, doctor] },
  { title: "Connect:", commands: [url, psql, sql] },
  {
    title: "Change:",
    commands: [
      switchover,
      failover,
      pause,
      fence,
      standby,
      reclone,
      restart,
      param,
      config,
      member,
    ],
  },
  { title: "Rehearse:", commands: [drill] },
  { title: "Kubernetes:", commands: [kubernetes, operator] },
  { title: "Shell:", commands: [completion] },
] as const;

/**
 * @returns the program; parse with `parseAsync(args, { from: "user" })` and give what it throws to
 * `usageError` (usage-error.ts).
 */
export function buildProgram(dependencies: { context: CliContext; version: string }): Command {
  const { context, version } = dependencies;
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
  for (const group of GROUPS) {
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
