// understudy completion: the script for a shell, and the hidden command that it calls on each Tab.
import { Argument, type Command } from "commander";
import { examples, onRun, type Call } from "../command.ts";
import { SHELLS, completionOf, completionScript, type Completion } from "../completion.ts";
import type { CliContext, Session } from "../session.ts";

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("completion")
    .summary("completion for bash, zsh or fish")
    .description("Prints a script for your shell; it completes cluster and member names as well.")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action(
      onRun(context, async (session, call) => {
        const shell = SHELLS.find((each) => each === call.args[0]);
        if (shell !== undefined) session.print(completionScript(shell));
      }),
    );
  examples(command, [
    "source <(understudy completion bash)",
    "understudy completion fish | source",
  ]);
  program
    .command("__complete", { hidden: true })
    .argument("[words...]", "what was typed after understudy")
    .action(
      onRun(context, async (session, call) => {
        await complete(session, { call, program });
      }),
    );
}

/** A Tab never prints a mistake: what cannot be found out is simply not offered. */
async function complete(
  session: Session,
  from: { call: Call<unknown>; program: Command },
): Promise<void> {
  const { args } = from.call;
  const found = completionOf(from.program, args);
  const lines = found.words.map(({ word, meaning }) => `${word}\t${meaning}`);
  const live = await liveNames(session, { found, typed: args }).catch(() => []);
  const current = args.at(-1) ?? "";
  const names = live.filter((name) => name.startsWith(current));
  const files = found.live === "files" ? [":files"] : [];
  session.print([...lines, ...names, ...files].map((line) => `${line}\n`).join(""));
}

async function liveNames(
  session: Session,
  from: { found: Completion; typed: readonly string[] },
): Promise<readonly string[]> {
  const { live } = from.found;
  if (live !== "clusters" && live !== "members") return [];
  const local = await session.local();
  const { env, uid } = session.context;
  if (live === "clusters") return await local.listClusters({ env, uid });
  const name = valueAfter(from.typed, "--name") ?? env["UNDERSTUDY_NAME"];
  const dir = valueAfter(from.typed, "--dir") ?? env["UNDERSTUDY_DIR"];
  const cluster = await local.openCluster(local.resolveClusterPlace({ name, dir, env, uid }));
  return await local.memberNames(cluster);
}

function valueAfter(words: readonly string[], flag: string): string | undefined {
  const at = words.indexOf(flag);
  return at === -1 ? undefined : words[at + 1];
}
