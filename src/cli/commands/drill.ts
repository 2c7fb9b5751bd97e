// understudy drill: a rehearsal on the real cluster, with clients of its own that measure.
import { access, constants, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Argument, Option, type Command } from "commander";
import { UnderstudyError, messageOf } from "../../core/errors.ts";
import { DRILL_FAULTS, type DrillFault } from "../../local/drill/fault-name.ts";
import { parseDuration, parseNotEmpty, parseRounds } from "../arguments.ts";
import { answerOutcome, examples, notePlan, onRun, timeoutOption, type Call } from "../command.ts";
import { renderDrill } from "../screens/drill.ts";
import type { CliContext, Session } from "../session.ts";

const FAILED = 1;

interface Options {
  readonly rounds: number;
  readonly for: number;
  readonly svg?: string;
  readonly clean?: boolean;
  readonly timeout: number;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("drill")
    .summary("rehearse a failure, with clients that measure what they go through")
    .description(
      "Makes the primary fail for real while clients of the drill's own write and read, and\n" +
        "tells how long they stood still and whether an acknowledged write was lost. Asks first;\n" +
        "refused on a cluster that is not healthy. Exits with 1 when something was lost, was\n" +
        "accepted by two primaries, or did not come back.",
    )
    .addArgument(
      new Argument("[fault]", "what happens to the primary").choices(DRILL_FAULTS).default("crash"),
    )
    .addOption(
      new Option("--rounds <n>", "so many times, one after the other")
        .argParser(parseRounds)
        .default(1),
    )
    .addOption(
      new Option("--for <duration>", "how long a freeze or a store outage lasts")
        .argParser(parseDuration)
        .default(15_000, "15s"),
    )
    .addOption(
      new Option("--svg <file>", "draw what happened into this file").argParser(parseNotEmpty),
    )
    .option("--clean", "only remove what a drill that was killed has left")
    .addOption(timeoutOption("2m"))
    .action(onRun<Options>(context, drill));
  examples(command, [
    "understudy drill",
    "understudy drill switchover --rounds 10 --svg drill.svg",
  ]);
}

async function drill(session: Session, call: Call<Options>): Promise<void> {
  const { rounds, for: lastsMs, svg } = call.options;
  if (svg !== undefined) await requireDirectoryOf(svg);
  const fault = (call.args[0] ?? "crash") as DrillFault;
  const { local, cluster } = await session.cluster();
  if (call.options.clean === true) {
    await answerOutcome(session, await local.cleanUpAfterDrill(cluster));
    return;
  }
  const request = { fault, rounds, lastsMs };
  const plan = await local.planDrill(cluster, request);
  notePlan(session, plan);
  const { name } = cluster.place;
  const what = `rehearse ${fault} on ${name} for real`;
  await session.confirm({ what, expect: name, flag: "--yes" });
  const { report, series } = await local.drill(cluster, request, session.operation(call.options));
  const drawing =
    svg === undefined ? null : await draw(svg, await local.drawDrill({ report, series }));
  const picture = drawing === null || drawing instanceof UnderstudyError ? null : drawing;
  await session.answer({
    document: { ...report, picture },
    table: (look) => renderDrill(report, { look, picture }),
    names: () => [report.passed ? "passed" : "failed"],
  });
  if (!report.passed) session.context.setExitStatus(FAILED);
  if (drawing instanceof UnderstudyError) throw drawing;
}

/** Before anything fails for real. @throws UnderstudyError DIRECTORY_NOT_WRITABLE. */
async function requireDirectoryOf(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
  } catch (cause) {
    throw new UnderstudyError(
      "DIRECTORY_NOT_WRITABLE",
      `cannot draw into ${path}: ${messageOf(cause)}; nothing was done`,
      { cause, hint: "Name a file that can be written with --svg." },
    );
  }
}

/** A picture that cannot be written must not take the report with it. */
async function draw(path: string, text: string): Promise<string | UnderstudyError> {
  try {
    await writeFile(path, text);
    return path;
  } catch (cause) {
    const message = `the report is complete, but its picture was not drawn: ${messageOf(cause)}`;
    return new UnderstudyError("DIRECTORY_NOT_WRITABLE", message, {
      cause,
      hint: "Name a file that can be written with --svg.",
    });
  }
}
