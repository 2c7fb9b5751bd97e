// understudy psql: the real one, connected to the primary or to a standby.
import { Option, type Command } from "commander";
import { examples, onRun, superuserOption } from "../command.ts";
import type { CliContext, Session } from "../session.ts";

interface Options {
  readonly read?: boolean;
  readonly member?: string;
  readonly asSuperuser?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("psql")
    .summary("PostgreSQL's own terminal, where it is installed")
    .description("Opens psql as the application's role; what follows -- is handed to it.")
    .argument("[args...]", "psql's own arguments, after --")
    .addOption(new Option("--read", "on the standby that has replayed most").conflicts(["member"]))
    .option("--member <member>", "on this member")
    .addOption(superuserOption())
    .action(onRun<Options>(context, psql));
  examples(command, ["understudy psql", 'understudy psql --read -- -c "\\dt"']);
}

async function psql(
  session: Session,
  call: { args: readonly string[]; options: Options },
): Promise<void> {
  const { sqlTarget } = await import("../sql/sql-target.ts");
  const { findPsql, psqlEnvironment, runPsql } = await import("../sql/psql.ts");
  const { target, binDir } = await sqlTarget(session, call.options);
  const { env } = session.context;
  const file = await findPsql({ binDir, env });
  const takeBack = session.context.handOverTerminal();
  try {
    const program = { file, args: call.args, env: psqlEnvironment(target, env) };
    session.context.setExitStatus(await runPsql(program));
  } finally {
    takeBack();
  }
}
