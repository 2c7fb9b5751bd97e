// understudy param set|show: PostgreSQL's parameters, checked against the server before anything is
// written.
import { Option, type Command } from "commander";
import { UnderstudyError } from "../../core/errors.ts";
import { parseParameter } from "../arguments.ts";
import {
  dryRunOption,
  examples,
  noWaitOption,
  onRun,
  planOrDo,
  timeoutOption,
  type Call,
  type WaitOptions,
} from "../command.ts";
import type { ParameterRow } from "../../local/parameters.ts";
import { renderTable } from "../output/table.ts";
import { harmless } from "../output/text.ts";
import type { CliContext, Session } from "../session.ts";

interface SetOptions extends WaitOptions {
  readonly reset?: readonly string[];
  readonly dryRun?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const param = program.command("param").summary("set or show PostgreSQL's parameters");
  examples(param, ["understudy param set work_mem=64MB", "understudy param show work_mem"]);
  param
    .command("set")
    .description("Sets parameters on every member; restarts them in the right order where needed.")
    .argument("[settings...]", "name=value")
    .addOption(
      new Option("--reset <name>", "back to the default; may be repeated").argParser(
        (name: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), name],
      ),
    )
    .addOption(dryRunOption())
    .addOption(noWaitOption())
    .addOption(timeoutOption("5m"))
    .action(onRun<SetOptions>(context, set));
  param
    .command("show")
    .description("Shows what was set; with names or --all what the server has.")
    .argument("[names...]", "parameters")
    .option("--all", "every parameter of the server")
    .action(onRun<{ readonly all?: boolean }>(context, show));
}

async function set(session: Session, call: Call<SetOptions>): Promise<void> {
  let settings: Record<string, string> = {};
  for (const text of call.args) settings = parseParameter(text, settings);
  const request = { set: settings, reset: call.options.reset ?? [] };
  if (call.args.length === 0 && request.reset.length === 0)
    throw new UnderstudyError("USAGE", "there is nothing to set", {
      hint: "Write name=value, such as: understudy param set work_mem=64MB",
    });
  const both = request.reset.find((name) => name in settings);
  if (both !== undefined)
    throw new UnderstudyError("USAGE", `${both} cannot be set and reset at once`);
  const { local, cluster } = await session.cluster();
  await planOrDo(session, call.options, {
    plan: () => local.planParameters(cluster, request),
    run: () => local.setParameters(cluster, request, session.operation(call.options)),
  });
}

async function show(session: Session, call: Call<{ readonly all?: boolean }>): Promise<void> {
  const { local, cluster } = await session.cluster();
  const request = { names: call.args, all: call.options.all === true };
  const rows = await local.showParameters(cluster, request);
  await session.answer({
    document: rows,
    table: (look) => {
      if (rows.length === 0) return "no parameter was set";
      const isWaiting = rows.some((row) => row.pendingRestart.length > 0);
      const columns = COLUMNS.filter(({ header }) => isWaiting || header !== WAITS);
      return renderTable({ columns, rows }, look);
    },
    names: () => rows.map((row) => row.name),
  });
}

const WAITS = "WAITS FOR RESTART";

const COLUMNS = [
  { header: "PARAMETER", text: (row: ParameterRow) => row.name },
  { header: "VALUE", text: (row: ParameterRow) => harmless(row.value ?? "unknown") },
  { header: "SET BY", text: (row: ParameterRow) => row.source },
  {
    header: WAITS,
    text: (row: ParameterRow) => row.pendingRestart.join(",") || "-",
    drop: 1,
  },
  { header: "TAKES", text: (row: ParameterRow) => row.takes, drop: 2 },
  { header: "MEANING", text: (row: ParameterRow) => row.description ?? "", drop: 3 },
];
