// understudy failover: by hand, when the primary is gone. Says first what may be lost.
import { type Command } from "commander";
import { parseMember } from "../arguments.ts";
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

interface Options extends WaitOptions {
  readonly to?: string;
  readonly acceptLoss?: boolean;
  readonly dryRun?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("failover")
    .summary("the primary is gone: promote a standby by hand")
    .description(
      "Promotes the standby that has most, once it has saved what the old primary's disk still has.\n" +
        "Commits that can be had nowhere are lost: how many bytes and transactions that is, is told.\n" +
        "Where it is more than nothing, or not known, nothing is done without --accept-loss, but where\n" +
        "synchronous replication proves that all acknowledged commits are kept. The cluster's name must\n" +
        "be typed. Refused while the primary lives.",
    )
    .option("--to <member>", "the new primary (the standby that has most)")
    .option("--accept-loss", "go on although commits are lost, or that cannot be told")
    .addOption(dryRunOption())
    .addOption(noWaitOption())
    .addOption(timeoutOption("2m"))
    .action(onRun<Options>(context, failover));
  examples(command, [
    "understudy failover --dry-run",
    "understudy failover --to demo-2 --accept-loss",
  ]);
}

async function failover(session: Session, call: Call<Options>): Promise<void> {
  const { dryRun, acceptLoss = false } = call.options;
  const to = parseMember(call.options.to);
  const { local, cluster } = await session.cluster();
  const request = { to, acceptLoss };
  const planned = dryRun === true ? { to, acceptLoss: null } : request;
  const plan = await local.planFailover(cluster, planned);
  if (dryRun === true) {
    await answerPlan(session, plan);
    return;
  }
  notePlan(session, plan);
  await session.confirm({
    what: "promote a standby without the old primary",
    expect: cluster.place.name,
    flag: "--yes",
  });
  const operation = session.operation(call.options);
  await answerOutcome(session, await local.failover(cluster, request, operation));
}
