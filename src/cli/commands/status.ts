// understudy status: how the cluster is, once or again and again.
import { Option, type Command } from "commander";
import { exitStatusOf } from "../../core/cluster-status.ts";
import { examples, onRun, type Call } from "../command.ts";
import { parseDuration } from "../arguments.ts";
import { renderStatus } from "../screens/status.ts";
import type { CliContext, Session } from "../session.ts";

const DEFAULT_WATCH_MS = 1_000;

interface Options {
  /** True without a number. */
  readonly watch?: boolean | number;
  readonly exitCode?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("status")
    .summary("how the cluster is: its members, their lag, what is wrong")
    .description(
      "Shows the cluster on one page. The figures of different members are of slightly\n" +
        "different moments; what is not known is shown as unknown, and never as healthy.",
    )
    .argument("[cluster]", "which, in place of --name")
    .addOption(
      new Option("-w, --watch [seconds]", "again and again, until q or Ctrl-C").argParser(
        parseDuration,
      ),
    )
    .option("--exit-code", "exit with 0 healthy, 7 degraded or paused, 8 without a primary")
    .action(onRun<Options>(context, status));
  examples(command, ["understudy status", "understudy status --watch", "understudy status --json"]);
}

async function status(session: Session, call: Call<Options>): Promise<void> {
  const { watch } = call.options;
  if (watch !== undefined && watch !== false) {
    const { checkInterval, watchStatus } = await import("../watch-status.ts");
    await watchStatus(session, {
      everyMs: watch === true ? DEFAULT_WATCH_MS : checkInterval(watch),
      named: call.args[0],
    });
    return;
  }
  const answer = (await session.status(call.args[0])).status;
  await session.answer({
    document: answer,
    table: (look, wide) =>
      renderStatus(answer, {
        look,
        wide,
        program: session.program,
        isOnKubernetes: session.isOnKubernetes,
      }),
    names: () => answer.members.map((member) => member.name),
  });
  if (call.options.exitCode === true) session.context.setExitStatus(exitStatusOf(answer.state));
}
