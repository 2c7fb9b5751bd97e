// Small words that the command files share: examples first, a run with its session, the options
// that recur.
import { Option, type Command } from "commander";
import { parseDuration } from "./arguments.ts";
import type { Outcome, Plan } from "../local/cluster.ts";
import { dot, mark, paint, type Look } from "./output/look.ts";
import { wrap } from "./output/text.ts";
import { withProgram } from "./screens/program-name.ts";
import { Session, type CliContext } from "./session.ts";

export interface Call<Options> {
  /** As typed, without the options. */
  readonly args: readonly string[];
  readonly options: Options;
}

/** The action of a command: a session is made, then the body runs. */
export function onRun<Options>(
  context: CliContext,
  body: (session: Session, call: Call<Options>) => Promise<void>,
): (this: Command) => Promise<void> {
  return async function run(this: Command): Promise<void> {
    await body(new Session(context, this), {
      args: this.args,
      options: this.opts() as Options,
    });
  };
}

/** Shown at the head of the command's help. */
export function examples(command: Command, lines: readonly string[]): Command {
  const text = lines.map((line) => `  $ ${line}`).join("\n");
  return command.addHelpText("before", `Examples:\n${text}\n`);
}

export interface WaitOptions {
  readonly timeout: number;
  readonly wait?: boolean;
}

/** --timeout, with the default in words. */
export function timeoutOption(defaultText: string): Option {
  return new Option("--timeout <duration>", "give up waiting after this long, such as 30s or 5m")
    .argParser(parseDuration)
    .env("UNDERSTUDY_TIMEOUT")
    .default(parseDuration(defaultText), defaultText);
}

export function noWaitOption(): Option {
  return new Option("--no-wait", "return when the request is accepted; follow it with: events");
}

/**
 * For what a database's owner may not do: extensions that are not trusted, roles, other roles'
 * sessions.
 */
export function superuserOption(): Option {
  return new Option("--as-superuser", "as PostgreSQL's superuser, not the application's role");
}

export function dryRunOption(): Option {
  return new Option("--dry-run", "print what would be done, and do nothing");
}

/** With --dry-run what would be done is told, else it is done. */
export async function planOrDo(
  session: Session,
  { dryRun }: { readonly dryRun?: boolean },
  of: { plan: () => Promise<Plan>; run: () => Promise<Outcome> },
): Promise<void> {
  if (dryRun === true) await answerPlan(session, await of.plan());
  else await answerOutcome(session, await of.run());
}

export async function answerPlan(session: Session, plan: Plan): Promise<void> {
  await session.answer({
    document: { dryRun: true, summary: plan.summary, steps: plan.steps, ...plan.facts },
    table: (look) =>
      [
        ...planLines(pasteable(plan, session), look),
        paint(look, "dim", `  ${dot(look)} nothing was changed: this is a dry run`),
      ].join("\n"),
    names: () => plan.steps,
  });
}

/** Before somebody is asked whether it is to be done. */
export function notePlan(session: Session, plan: Plan): void {
  for (const line of planLines(pasteable(plan, session), session.err)) session.note(line);
}

/** A command that is named is about this cluster. */
function pasteable({ summary, steps, facts }: Plan, { program }: Session): Plan {
  return {
    summary: withProgram(summary, program),
    steps: steps.map((step) => withProgram(step, program)),
    facts,
  };
}

function planLines({ summary, steps }: Plan, look: Look): string[] {
  const { width } = look;
  return [
    paint(look, "strong", wrap(summary, { width, indent: "" })),
    ...steps.map((step, at) => wrap(`  ${at + 1}. ${step}`, { width, indent: "     " })),
  ];
}

export async function answerOutcome(session: Session, outcome: Outcome): Promise<void> {
  await session.answer({
    document: { summary: outcome.summary, ...outcome.facts },
    table: (look) =>
      wrap(
        `${paint(look, "good", mark(look, "check"))} ${withProgram(outcome.summary, session.program)}`,
        {
          width: look.width,
          indent: "  ",
        },
      ),
    names: () => [],
  });
}
