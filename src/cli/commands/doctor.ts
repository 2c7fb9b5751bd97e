// understudy doctor: what this machine offers and what is missing.
import { Option, type Command } from "commander";
import type { Major } from "../../core/spec.ts";
import { parseMajor } from "../arguments.ts";
import { examples, onRun, type Call } from "../command.ts";
import { renderDoctor } from "../screens/doctor.ts";
import type { CliContext, Session } from "../session.ts";

interface Options {
  readonly postgres?: Major;
  readonly pgBin?: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("doctor")
    .summary("what was found on this machine, what is missing, and why")
    .description("Lists every PostgreSQL that was looked at, the user, the disk and the cluster.")
    .addOption(
      new Option("--postgres <major>", "look for this major version")
        .argParser(parseMajor)
        .env("UNDERSTUDY_POSTGRES"),
    )
    .addOption(new Option("--pg-bin <directory>", "look here first").env("UNDERSTUDY_PG_BIN"))
    .action(onRun<Options>(context, doctor));
  examples(command, ["understudy doctor", "understudy doctor --postgres 16"]);
}

async function doctor(session: Session, call: Call<Options>): Promise<void> {
  const place = await session.place();
  const local = await session.local();
  const { env, signal } = session.context;
  const { postgres, pgBin } = call.options;
  const groups = await local.diagnose({
    place,
    env,
    major: postgres ?? null,
    pgBin: pgBin ?? null,
    signal,
  });
  await session.answer({
    document: { groups },
    table: (look) => renderDoctor(groups, look),
    names: () => groups.flatMap((group) => group.findings.map((finding) => finding.subject)),
  });
  const broken = groups.some((group) => group.findings.some(({ verdict }) => verdict === "bad"));
  if (broken) session.context.setExitStatus(1);
}
