// understudy standby add|remove: one standby more or less.
import { type Command } from "commander";
import { checkMemberName } from "../../core/name.ts";
import {
  answerOutcome,
  examples,
  noWaitOption,
  onRun,
  timeoutOption,
  type Call,
  type WaitOptions,
} from "../command.ts";
import { showingMembers } from "../member-progress.ts";
import type { CliContext, Session } from "../session.ts";

export function register(program: Command, context: CliContext): void {
  const standby = program.command("standby").summary("add or remove a standby");
  examples(standby, ["understudy standby add", "understudy standby remove demo-3"]);
  standby
    .command("add")
    .description("Clones the primary into a new member and returns when it streams.")
    .argument("[name]", "the new member's name (the next free number)")
    .addOption(noWaitOption())
    .addOption(timeoutOption("1h"))
    .action(onRun<WaitOptions>(context, add));
  standby
    .command("remove")
    .description("Stops a standby, drops its slot and deletes its data.")
    .argument("<member>", "the standby to remove")
    .addOption(timeoutOption("2m"))
    .action(onRun<WaitOptions>(context, remove));
}

async function add(session: Session, call: Call<WaitOptions>): Promise<void> {
  const [typed] = call.args;
  const name = typed === undefined ? null : checkMemberName(typed);
  const { local, cluster } = await session.cluster();
  const operation = session.operation(call.options);
  const outcome = await showingMembers(session, (onStep) =>
    local.addStandby(cluster, { name, onStep }, operation),
  );
  await answerOutcome(session, outcome);
}

async function remove(session: Session, call: Call<WaitOptions>): Promise<void> {
  const name = checkMemberName(call.args[0] ?? "");
  const { local, cluster } = await session.cluster();
  await session.confirm({
    what: `stop ${name} and delete its data directory`,
    expect: "yes",
    flag: "--yes",
  });
  const operation = session.operation(call.options);
  await answerOutcome(session, await local.removeStandby(cluster, { name }, operation));
}
