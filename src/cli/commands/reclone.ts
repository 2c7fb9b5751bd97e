// understudy reclone: a standby's data is thrown away and copied anew from the primary.
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
  const command = program
    .command("reclone")
    .summary("copy a standby's data anew from the primary")
    .description(
      "The copy is made beside the old data and takes its place when it is whole and verified.",
    )
    .argument("<member>", "the standby")
    .addOption(noWaitOption())
    .addOption(timeoutOption("1h"))
    .action(onRun<WaitOptions>(context, reclone));
  examples(command, ["understudy reclone demo-2"]);
}

async function reclone(session: Session, call: Call<WaitOptions>): Promise<void> {
  const member = checkMemberName(call.args[0] ?? "");
  const { local, cluster } = await session.cluster();
  await session.confirm({
    what: `replace the data of ${member} by a new copy of the primary's`,
    expect: "yes",
    flag: "--yes",
  });
  const operation = session.operation(call.options);
  const outcome = await showingMembers(session, (onStep) =>
    local.reclone(cluster, { member, onStep }, operation),
  );
  await answerOutcome(session, outcome);
}
