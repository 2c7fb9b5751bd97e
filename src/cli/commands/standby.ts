// understudy standby add|remove: one standby more or less.
import { type Command } from "commander";
import type { Assignment } from "../../core/config/key.ts";
import { MEMBER_KEYS, PRIMARY } from "../../core/config/member-keys.ts";
import { checkMemberName } from "../../core/name.ts";
import { parseMember } from "../arguments.ts";
import {
  answerOutcome,
  examples,
  noWaitOption,
  onRun,
  timeoutOption,
  type Call,
  type WaitOptions,
} from "../command.ts";
import { parseAssignments } from "../config-arguments.ts";
import { showingMembers } from "../member-progress.ts";
import type { CliContext, Session } from "../session.ts";

interface AddOptions extends WaitOptions {
  readonly from?: string;
  readonly delay?: string;
}

export function register(program: Command, context: CliContext): void {
  const standby = program.command("standby").summary("add or remove a standby");
  examples(standby, [
    "understudy standby add",
    "understudy standby add demo-4 --from demo-2 --delay 1h",
    "understudy standby remove demo-3",
  ]);
  standby
    .command("add")
    .description(
      "Clones the primary, or the standby that it is to stream from, into a new member and returns when\n" +
        "it streams. What is set here can be changed later: understudy member set",
    )
    .argument("[name]", "the new member's name (the next free number)")
    .option("--from <member>", "stream from that member (cascading) and copy it (the primary)")
    .option("--delay <duration>", "replay only after so long, such as 1h (at once)")
    .addOption(noWaitOption())
    .addOption(timeoutOption("1h"))
    .action(onRun<AddOptions>(context, add));
  standby
    .command("remove")
    .description("Stops a standby, drops its slot and deletes its data.")
    .argument("<member>", "the standby to remove")
    .addOption(timeoutOption("2m"))
    .action(onRun<WaitOptions>(context, remove));
}

async function add(session: Session, call: Call<AddOptions>): Promise<void> {
  const name = parseMember(call.args[0]);
  const assignments = assignmentsIn(call.options);
  const { local, cluster } = await session.cluster();
  const operation = session.operation(call.options);
  const outcome = await showingMembers(session, (onStep) =>
    local.addStandby(cluster, { name, assignments, onStep }, operation),
  );
  await answerOutcome(session, outcome);
}

/** @throws UnderstudyError USAGE, NAME_INVALID. */
function assignmentsIn({ from, delay }: AddOptions): Assignment[] {
  const settings = [
    ...(from === undefined ? [] : [`from=${from === PRIMARY ? from : checkMemberName(from)}`]),
    ...(delay === undefined ? [] : [`delay=${delay}`]),
  ];
  return settings.length === 0 ? [] : parseAssignments({ settings, reset: [] }, MEMBER_KEYS);
}

async function remove(session: Session, call: Call<WaitOptions>): Promise<void> {
  const name = checkMemberName(call.args[0] ?? "");
  const { local, cluster } = await session.cluster();
  await session.confirm({
    what: `stop ${name} and delete its data directory`,
    expect: "yes",
    flag: "--yes",
  });
  const operation = session.operation(call.options);
  await answerOutcome(session, await local.removeStandby(cluster, { name }, operation));
}
