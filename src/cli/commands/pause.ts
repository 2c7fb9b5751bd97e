// understudy pause and resume: whether a standby takes over by itself.
import { type Command } from "commander";
import { answerOutcome, examples, onRun } from "../command.ts";
import type { CliContext, Session } from "../session.ts";

export function register(program: Command, context: CliContext): void {
  const pause = program
    .command("pause")
    .summary("nothing fails over by itself until resume")
    .description(
      "For maintenance: the primary may be stopped by hand and no standby takes its part.\nCommands such as switchover and failover work all the same.",
    )
    .argument("[cluster]", "which, in place of --name")
    .action(onRun(context, (session, { args }) => setPaused(session, { paused: true, args })));
  examples(pause, ["understudy pause"]);
  const resume = program
    .command("resume")
    .summary("let a standby take over again when the primary fails")
    .description("Ends a pause. A primary that is gone by then is succeeded at once.")
    .argument("[cluster]", "which, in place of --name")
    .action(onRun(context, (session, { args }) => setPaused(session, { paused: false, args })));
  examples(resume, ["understudy resume"]);
}

async function setPaused(
  session: Session,
  of: { paused: boolean; args: readonly string[] },
): Promise<void> {
  const { local, cluster } = await session.cluster(of.args[0]);
  await answerOutcome(session, await local.pause(cluster, of.paused));
}
