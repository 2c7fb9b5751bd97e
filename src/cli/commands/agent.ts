// understudy agent: runs one member. `up` starts it; it is no command for people.
import type { Command } from "commander";
import { UnderstudyError } from "../../core/errors.ts";
import { checkMemberName } from "../../core/name.ts";
import { onRun } from "../command.ts";
import type { CliContext, Session } from "../session.ts";

export function register(program: Command, context: CliContext): void {
  program
    .command("agent", { hidden: true })
    .description("Runs one member of the cluster in --dir until it is told to shut down.")
    .requiredOption("--member <member>", "which member")
    .action(
      onRun<{ readonly member: string }>(context, async (session, call) => {
        await agent(session, call.options.member);
      }),
    );
}

async function agent(session: Session, typed: string): Promise<void> {
  const member = checkMemberName(typed);
  const { dir } = session.options;
  if (dir === undefined)
    throw new UnderstudyError("USAGE", "an agent needs --dir, the directory of its cluster");
  const { runAgent } = await import("../../agent/run-agent.ts");
  const { clusterPaths } = await import("../../agent/member-paths.ts");
  const { SqliteStore } = await import("../../store/sqlite-store.ts");
  // An agent ends by its own rules: what SIGTERM means to it is in run-agent.
  const takeBack = session.context.handOverTerminal();
  try {
    const path = clusterPaths(dir).record;
    await runAgent({
      clusterRoot: dir,
      member,
      openStore: (cluster) => new SqliteStore({ path, cluster }),
    });
  } finally {
    takeBack();
  }
}
