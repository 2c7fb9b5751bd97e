// The program of a deadman process, `understudy deadman --data DIR ...`: started by an agent, no
// command for people. It loads next to nothing, as there is one for each member.
import { Deadman } from "../agent/deadman/deadman.ts";
import { TRIES_VARIABLE, type AgentCommand } from "../agent/deadman/guardian.ts";
import { isDeadlinePolicy, type DeadlinePolicy } from "../agent/deadman/policy.ts";
import { raisePriority } from "../agent/deadman/priority.ts";
import { WATCHDOG_VARIABLE, Watchdog } from "../agent/deadman/watchdog.ts";
import { Journal } from "../agent/journal.ts";
import { say } from "../agent/last-words.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { startAgainFromWarmCache } from "./entry.ts";
import { namedArguments } from "./named-arguments.ts";

/** @param args what comes after "understudy". @returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const given = readArguments(args.slice(1));
    startAgainFromWarmCache();
    await watch(given);
    // An agent that it has started is no reason to stay.
    process.exit(0);
  } catch (thrown) {
    say(messageOf(thrown));
    return thrown instanceof UnderstudyError ? thrown.exit : 1;
  }
}

async function watch(given: Arguments): Promise<void> {
  const { member, events, log, data, policy, restart } = given;
  const journal = new Journal({ path: events, member });
  const deadman = new Deadman({
    member,
    dataDir: data,
    policy,
    agentPid: process.ppid,
    restart,
    earlierTries: Number(process.env[TRIES_VARIABLE] ?? 0),
    events: journal,
    watchdog: watchdogFor({ member, journal }),
  });
  const ended = deadman.run(process.stdin);
  const reached = raisePriority();
  new Journal({ path: log, member }).write({
    event: "deadman-started",
    message: `The deadman of ${member} watches, at nice ${reached.nice}.`,
    details: { pid: process.pid, ...reached },
  });
  // Says that it watches, once. Nobody may listen any more.
  process.stdout.on("error", () => {});
  process.stdout.write("ready\n");
  await ended;
}

function watchdogFor({ member, journal }: { member: string; journal: Journal }): Watchdog | null {
  const path = process.env[WATCHDOG_VARIABLE] ?? "";
  if (path === "") return null;
  const onTrouble = (why: string) => {
    journal.write({
      event: "watchdog-not-fed",
      level: "error",
      message: `The deadman of ${member} cannot feed the watchdog ${path}: ${why}`,
    });
  };
  return new Watchdog({ path, onTrouble });
}

interface Arguments {
  readonly data: string;
  readonly member: string;
  readonly events: string;
  readonly log: string;
  readonly policy: DeadlinePolicy;
  readonly restart: AgentCommand;
}

function readArguments(args: readonly string[]): Arguments {
  const values = Object.fromEntries(namedArguments(args));
  const { data, member, events, log, policy, restart } = values;
  if (!data || !member || !events || !log || !restart || !isDeadlinePolicy(policy))
    throw new UnderstudyError("USAGE", "a deadman is started by its agent, and by nobody else");
  const command: AgentCommand = JSON.parse(restart);
  return { data, member, events, log, policy, restart: command };
}
