// understudy logs and events: what the servers wrote, and what was decided and why.
import { Option, type Command } from "commander";
import { parseLines, parseMember } from "../arguments.ts";
import { examples, onRun, type Call } from "../command.ts";
import { renderEvents, renderLogLine } from "../screens/events.ts";
import type { CliContext, Session } from "../session.ts";

interface LogOptions {
  readonly follow?: boolean;
  readonly lines: number;
}

function linesOption(count: number): Option {
  return new Option("-n, --lines <n>", "only the newest so many")
    .argParser(parseLines)
    .default(count);
}

export function register(program: Command, context: CliContext): void {
  const logs = program
    .command("logs")
    .summary("the servers' and agents' logs")
    .description("Prints the newest lines of every member's log, or of one member's.")
    .argument("[member]", "only this one")
    .option("-f, --follow", "go on printing until Ctrl-C")
    .addOption(linesOption(50))
    .action(onRun<LogOptions>(context, showLogs));
  examples(logs, ["understudy logs -f", "understudy logs demo-2 --lines 200"]);
  const events = program
    .command("events")
    .summary("what was decided, when and why")
    .description("Prints the decisions of all members in the order of their time.")
    .argument("[cluster]", "which, in place of --name")
    .addOption(linesOption(50))
    .action(onRun<{ readonly lines: number }>(context, showEvents));
  examples(events, ["understudy events", "understudy events --json"]);
}

async function showLogs(session: Session, call: Call<LogOptions>): Promise<void> {
  const member = parseMember(call.args[0]);
  const { local, cluster } = await session.cluster();
  const { follow, lines } = call.options;
  const { signal, outputClosed } = session.context;
  const stop = AbortSignal.any([signal, outputClosed]);
  const request = { member, follow: follow === true, lines, signal: stop };
  for await (const line of local.readLogs(cluster, request)) {
    if (stop.aborted) return;
    if (!session.forPeople) session.print(`${JSON.stringify(line)}\n`);
    else {
      const shown = { text: line.text, member: member === null ? line.member : null };
      session.print(`${renderLogLine(shown, session.out)}\n`);
    }
  }
}

async function showEvents(session: Session, call: Call<{ readonly lines: number }>): Promise<void> {
  const { local, cluster } = await session.cluster(call.args[0]);
  const all = await local.readEvents(cluster);
  const { lines } = call.options;
  const events = lines === 0 ? [] : all.slice(-lines);
  await session.answer({
    document: events,
    table: (look) => renderEvents(events, look),
    names: () => events.map((event) => event.event),
  });
}
