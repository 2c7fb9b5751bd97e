// The composition root: gives the world to the program, runs it, prints what went wrong, and
// returns the exit status.
import { readFile } from "node:fs/promises";
import { CommanderError, type Command } from "commander";
import { UnderstudyError } from "../core/errors.ts";
import { ownProgram } from "./entry.ts";
import { asUnderstudyError, renderError } from "./output/error-text.ts";
import { OUTPUT_FORMATS, type OutputFormat } from "./output/document.ts";
import { lookOf } from "./output/look.ts";
import { neededCommands, withNamespace } from "./needed-commands.ts";
import { buildProgram } from "./program.ts";
import { programAsCalled, withProgram } from "./screens/program-name.ts";
import type { CliContext } from "./session.ts";
import { usageError, withItsHelp } from "./usage-error.ts";

const INTERRUPTED = 130;

/**
 * @param typed after the program's name. @returns the exit status; see EXIT_STATUSES.
 */
export async function main(typed: readonly string[]): Promise<number> {
  const args = withNamespace(typed);
  const world = openWorld(args);
  const { context } = world;
  const [version, groups] = await Promise.all([ownVersion(), neededCommands(args)]);
  const program = buildProgram({ context, version, groups });
  try {
    await program.parseAsync([...args], { from: "user" });
    return world.exitStatus();
  } catch (thrown) {
    return report(thrown, { context, program });
  } finally {
    world.close();
  }
}

interface World {
  readonly context: CliContext;
  exitStatus(): number;
  close(): void;
}

function openWorld(args: readonly string[]): World {
  const interrupt = new AbortController();
  const output = new AbortController();
  const uid = process.getuid?.() ?? -1;
  let exitStatus = 0;
  let handedOver = false;
  const onSignal = () => {
    if (handedOver) return;
    // The second time somebody means it: whatever is being tidied up is left.
    if (interrupt.signal.aborted) process.exit(INTERRUPTED);
    interrupt.abort(new UnderstudyError("INTERRUPTED", "the command was interrupted"));
  };
  // `… | head` closes the pipe when it has enough: that is no failure, and nothing more is to be
  // said.
  const onOutputError = () => output.abort();
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.stdout.on("error", onOutputError);
  process.stderr.on("error", onOutputError);
  const context: CliContext = {
    args,
    env: process.env,
    uid,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interrupt.signal,
    outputClosed: output.signal,
    loadLocal: async () => {
      const { localCommands } = await import("../local/commands.ts");
      return localCommands({ env: process.env, uid, program: ownProgram() });
    },
    setExitStatus: (status) => {
      exitStatus = status;
    },
    handOverTerminal: () => {
      handedOver = true;
      return () => {
        handedOver = false;
      };
    },
  };
  return {
    context,
    exitStatus: () => exitStatus,
    close: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

function report(thrown: unknown, of: { context: CliContext; program: Command }): number {
  const { context, program } = of;
  const { args } = context;
  const found =
    thrown instanceof CommanderError
      ? usageError(thrown, { program, typed: args })
      : asUnderstudyError(thrown);
  if (found === null) return 0;
  const error = aboutThisCluster(withItsHelp(found, { program, typed: args }), context);
  const colour = args.includes("--no-color") ? false : undefined;
  const look = lookOf(context.stderr, { env: context.env, colour });
  const debug = context.env["UNDERSTUDY_DEBUG"] === "1";
  context.stderr.write(renderError(error, { format: formatTyped(context), look, debug }));
  return error.exit;
}

/** A command in a hint is to be pasted: it must be about the cluster that this one was about. */
function aboutThisCluster(error: UnderstudyError, context: CliContext): UnderstudyError {
  const hint = withProgram(error.hint, programAsCalled(context));
  if (hint === error.hint) return error;
  return new UnderstudyError(error.code, error.message, {
    details: error.details,
    hint,
    cause: error,
  });
}

/** Read off the words themselves, because a mistake among them may be what went wrong. */
function formatTyped(context: CliContext): OutputFormat {
  const end = context.args.indexOf("--");
  const args = end === -1 ? context.args : context.args.slice(0, end);
  if (args.includes("--json")) return "json";
  const at = args.findIndex((each) => each === "-o" || each === "--output");
  const inOne = args.find((each) => each.startsWith("--output="))?.slice("--output=".length);
  const named = inOne ?? (at === -1 ? context.env["UNDERSTUDY_OUTPUT"] : args[at + 1]);
  return OUTPUT_FORMATS.find((each) => each === named) ?? "table";
}

async function ownVersion(): Promise<string> {
  // The same relative place from src/cli/main.ts and from dist/cli/main.js.
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  const { version }: { version: string } = JSON.parse(text);
  return version;
}
