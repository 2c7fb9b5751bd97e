// understudy fence and unfence: a member's server is stopped and stays so, until it is unfenced.
import { type Command } from "commander";
import { checkMemberName } from "../../core/name.ts";
import {
  answerOutcome,
  answerPlan,
  dryRunOption,
  examples,
  noWaitOption,
  notePlan,
  onRun,
  timeoutOption,
  type Call,
  type WaitOptions,
} from "../command.ts";
import type { CliContext, Session } from "../session.ts";

interface FenceOptions extends WaitOptions {
  readonly now?: boolean;
  readonly dryRun?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const fence = program
    .command("fence")
    .summary("stop a member's PostgreSQL and keep it stopped")
    .description(
      "Stops a member's PostgreSQL, so that it takes neither writes nor reads, and keeps it stopped\n" +
        "through restarts of agents and machines until unfence. A primary hands its part over first,\n" +
        "as by switchover; where it cannot, nothing is changed. Its data stays as it is.",
    )
    .argument("<member>", "the member")
    .option("--now", "a primary is stopped without handing over; a standby takes over if one can")
    .addOption(dryRunOption())
    .addOption(noWaitOption())
    .addOption(timeoutOption("2m"))
    .action(onRun<FenceOptions>(context, fenceMember));
  examples(fence, ["understudy fence demo-3", "understudy fence demo-1 --dry-run"]);
  const unfence = program
    .command("unfence")
    .summary("let a fenced member run again")
    .description(
      "Ends a fence: the member starts as a standby, and is rewound or copied where it has diverged.",
    )
    .argument("<member>", "the member")
    .addOption(noWaitOption())
    .addOption(timeoutOption("10m"))
    .action(onRun<WaitOptions>(context, unfenceMember));
  examples(unfence, ["understudy unfence demo-3"]);
}

async function fenceMember(session: Session, call: Call<FenceOptions>): Promise<void> {
  const member = checkMemberName(call.args[0] ?? "");
  const { now, dryRun } = call.options;
  const request = { member, now: now === true };
  const { local, cluster } = await session.cluster();
  const plan = await local.planFence(cluster, request);
  if (dryRun === true) {
    await answerPlan(session, plan);
    return;
  }
  if (plan.isLeader) {
    notePlan(session, plan);
    await session.confirm({ what: `stop the primary, ${member}`, expect: "yes", flag: "--yes" });
  }
  const operation = session.operation(call.options);
  await answerOutcome(session, await local.fence(cluster, request, operation));
}

async function unfenceMember(session: Session, call: Call<WaitOptions>): Promise<void> {
  const member = checkMemberName(call.args[0] ?? "");
  const { local, cluster } = await session.cluster();
  const operation = session.operation(call.options);
  await answerOutcome(session, await local.unfence(cluster, { member }, operation));
}
