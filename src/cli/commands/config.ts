// understudy config set|show: Understudy's own settings for a whole cluster. PostgreSQL's
// parameters have `param`.
import { type Command } from "commander";
import { CLUSTER_KEYS } from "../../core/config/cluster-keys.ts";
import { dryRunOption, examples, onRun, planOrDo, type Call } from "../command.ts";
import {
  CONFIG_COLUMNS,
  keysArgument,
  keysHelp,
  parseAssignments,
  resetOption,
  settingsArgument,
  type ConfigOptions,
} from "../config-arguments.ts";
import { renderTable } from "../output/table.ts";
import type { CliContext, Session } from "../session.ts";

export function register(program: Command, context: CliContext): void {
  const config = program.command("config").summary("set or show how Understudy itself behaves");
  examples(config, ["understudy config set maximumLag=16MB", "understudy config show"]);
  config
    .command("set")
    .description("Sets Understudy's own settings for the whole cluster, all of them at once.")
    .addArgument(settingsArgument(CLUSTER_KEYS))
    .addOption(resetOption(CLUSTER_KEYS))
    .addOption(dryRunOption())
    .addHelpText("after", keysHelp(CLUSTER_KEYS))
    .action(onRun<ConfigOptions>(context, set));
  config
    .command("show")
    .description("Shows every setting, or those that are named.")
    .addArgument(keysArgument(CLUSTER_KEYS))
    .action(onRun(context, show));
}

async function set(session: Session, call: Call<ConfigOptions>): Promise<void> {
  const { reset = [] } = call.options;
  const assignments = parseAssignments({ settings: call.args, reset }, CLUSTER_KEYS);
  const { local, cluster } = await session.cluster();
  const change = { member: null, assignments };
  await planOrDo(session, call.options, {
    plan: () => local.planConfig(cluster, change),
    run: () => local.setConfig(cluster, change),
  });
}

async function show(session: Session, call: Call<object>): Promise<void> {
  const { local, cluster } = await session.cluster();
  const rows = await local.showConfig(cluster, call.args);
  await session.answer({
    document: rows,
    table: (look) => renderTable({ columns: CONFIG_COLUMNS, rows }, look),
    names: () => rows.map(({ key }) => key),
  });
}
