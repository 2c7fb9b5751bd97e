// understudy restart and reload: the servers take up what they were told.
import { type Command } from "commander";
import { parseMember } from "../arguments.ts";
import {
  answerOutcome,
  examples,
  noWaitOption,
  onRun,
  timeoutOption,
  type Call,
  type WaitOptions,
} from "../command.ts";
import type { CliContext, Session } from "../session.ts";

export function register(program: Command, context: CliContext): void {
  const restart = program
    .command("restart")
    .summary("restart PostgreSQL: all members in the right order, or one")
    .description("Standbys first, one after another, then the primary: writes pause once, shortly.")
    .argument("[member]", "only this one")
    .addOption(noWaitOption())
    .addOption(timeoutOption("5m"))
    .action(onRun<WaitOptions>(context, restartMembers));
  examples(restart, ["understudy restart", "understudy restart demo-2"]);
  const reload = program
    .command("reload")
    .summary("let every member read its settings again")
    .description("Writes each member's settings anew and reloads them; nothing is interrupted.")
    .addOption(timeoutOption("1m"))
    .action(onRun<WaitOptions>(context, reloadMembers));
  examples(reload, ["understudy reload"]);
}

async function restartMembers(session: Session, call: Call<WaitOptions>): Promise<void> {
  const member = parseMember(call.args[0]);
  const { local, cluster } = await session.cluster();
  const operation = session.operation(call.options);
  await answerOutcome(session, await local.restart(cluster, { member }, operation));
}

async function reloadMembers(session: Session, call: Call<WaitOptions>): Promise<void> {
  const { local, cluster } = await session.cluster();
  await answerOutcome(session, await local.reload(cluster, session.operation(call.options)));
}
