// understudy switchover: a standby takes the primary's part, planned, both alive, nothing
// acknowledged lost.
import { Option, type Command } from "commander";
import { parseMember } from "../arguments.ts";
import {
  answerOutcome,
  dryRunOption,
  examples,
  noWaitOption,
  onRun,
  planOrDo,
  timeoutOption,
  type Call,
  type WaitOptions,
} from "../command.ts";
import { parseScheduleTime } from "../schedule-time.ts";
import type { CliContext, Session } from "../session.ts";

interface Options extends WaitOptions {
  readonly to?: string;
  readonly at?: string;
  readonly cancel?: boolean;
  readonly dryRun?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("switchover")
    .summary("let a standby take the primary's part, without losing a commit")
    .description(
      "Stops the primary cleanly, promotes a standby that has everything, and lets the old\n" +
        "primary stream from the new one. Refused beforehand when it cannot end well.",
    )
    .argument("[cluster]", "which, in place of --name")
    .option("--to <member>", "the new primary (the standby that is best placed)")
    .addOption(
      new Option(
        "--at <time>",
        "not now: HH:MM on this machine's clock, or as 2026-11-23T03:00:00Z",
      ).conflicts("cancel"),
    )
    .addOption(new Option("--cancel", "drop the one that is scheduled").conflicts(["to", "dryRun"]))
    .addOption(dryRunOption())
    .addOption(noWaitOption())
    .addOption(timeoutOption("2m"))
    .action(onRun<Options>(context, switchover));
  examples(command, ["understudy switchover", "understudy switchover --to demo-2 --at 03:00"]);
}

async function switchover(session: Session, call: Call<Options>): Promise<void> {
  const { at: when, cancel } = call.options;
  const to = parseMember(call.options.to);
  const at = when === undefined ? null : parseScheduleTime(when, new Date());
  const { local, cluster } = await session.cluster(call.args[0]);
  if (cancel === true) {
    await answerOutcome(session, await local.cancelSchedule(cluster));
    return;
  }
  if (at !== null) {
    const request = { at, to };
    await planOrDo(session, call.options, {
      plan: () => local.planSchedule(cluster, request),
      run: () => local.schedule(cluster, request),
    });
    return;
  }
  await planOrDo(session, call.options, {
    plan: () => local.planSwitchover(cluster, { to }),
    run: () => local.switchover(cluster, { to }, session.operation(call.options)),
  });
}
