// understudy member set|show: what may be set for one member.
import { type Command } from "commander";
import { MEMBER_KEYS } from "../../core/config/member-keys.ts";
import { checkMemberName } from "../../core/name.ts";
import { parseMember } from "../arguments.ts";
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
import type { MemberConfigRow } from "../../local/config.ts";

const COLUMNS = [
  { header: "MEMBER", text: (row: MemberConfigRow) => row.member },
  ...CONFIG_COLUMNS,
] as const;

export function register(program: Command, context: CliContext): void {
  const member = program.command("member").summary("set or show what one member is for");
  examples(member, [
    "understudy member set demo-3 nofailover=true noreads=true",
    "understudy member show demo-3",
  ]);
  member
    .command("set")
    .description("Sets what one member is for, all of it at once.")
    .argument("<member>", "the member")
    .addArgument(settingsArgument(MEMBER_KEYS))
    .addOption(resetOption(MEMBER_KEYS))
    .addOption(dryRunOption())
    .addHelpText("after", keysHelp(MEMBER_KEYS))
    .action(onRun<ConfigOptions>(context, set));
  member
    .command("show")
    .description("Shows every setting of a member, or those that are named.")
    .argument("[member]", "only this one")
    .addArgument(keysArgument(MEMBER_KEYS))
    .action(onRun(context, show));
}

async function set(session: Session, call: Call<ConfigOptions>): Promise<void> {
  const [typed = "", ...settings] = call.args;
  const member = checkMemberName(typed);
  const { reset = [] } = call.options;
  const assignments = parseAssignments({ settings, reset }, MEMBER_KEYS);
  const { local, cluster } = await session.cluster();
  const change = { member, assignments };
  await planOrDo(session, call.options, {
    plan: () => local.planConfig(cluster, change),
    run: () => local.setConfig(cluster, change),
  });
}

async function show(session: Session, call: Call<object>): Promise<void> {
  const [typed, ...names] = call.args;
  const member = parseMember(typed);
  const { local, cluster } = await session.cluster();
  const rows = await local.showMemberConfig(cluster, { member, names });
  await session.answer({
    document: rows,
    table: (look) => renderTable({ columns: COLUMNS, rows }, look),
    names: () => rows.map(({ member: of, key }) => `${of} ${key}`),
  });
}
