// understudy up: a primary and its standbys, streaming. Says that it runs already when it does.
import { once } from "node:events";
import { Option, type Command } from "commander";
import {
  parseMajor,
  parseNotEmpty,
  parseParameter,
  parsePort,
  parsePreload,
  parseRequired,
  parseStandbys,
} from "../arguments.ts";
import { examples, onRun, timeoutOption } from "../command.ts";
import { showingMembers } from "../member-progress.ts";
import type { UpOptions } from "../../local/up.ts";
import { renderFooter } from "../screens/footer.ts";
import type { CliContext, Session } from "../session.ts";
import type { SyncPolicy } from "../../core/record.ts";
import type { Major } from "../../core/spec.ts";

interface Options {
  readonly standbys?: number;
  readonly postgres?: Major;
  readonly port?: number;
  readonly pgBin?: string;
  readonly user?: string;
  readonly locale?: string;
  readonly param?: Record<string, string>;
  readonly preload?: readonly string[];
  readonly sync?: SyncPolicy["mode"];
  readonly required?: number;
  readonly foreground?: boolean;
  readonly adoptRecord?: boolean;
  readonly timeout: number;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("up")
    .summary("start a primary and its standbys, making them where there are none")
    .description(
      "Starts the cluster and returns when every standby streams; the agents stay.\n" +
        "A second `up` changes nothing; after a reboot it brings the same cluster back.",
    );
  for (const option of shapeOptions()) command.addOption(option);
  for (const option of placeOptions()) command.addOption(option);
  command.action(onRun<Options>(context, up));
  examples(command, [
    "understudy up",
    "understudy up --name shop --standbys 1 --postgres 16",
    "understudy up --sync on",
  ]);
}

function shapeOptions(): Option[] {
  return [
    new Option("--standbys <n>", "how many standbys (new cluster: 2)")
      .argParser(parseStandbys)
      .env("UNDERSTUDY_STANDBYS"),
    new Option("--postgres <major>", "PostgreSQL's major version, 10 to 18")
      .argParser(parseMajor)
      .env("UNDERSTUDY_POSTGRES"),
    new Option(
      "--port <port>",
      "port of the first member; the others follow (6431 or the next free)",
    )
      .argParser(parsePort)
      .env("UNDERSTUDY_PORT"),
    new Option("--param <name=value>", "a PostgreSQL parameter; may be repeated").argParser(
      parseParameter,
    ),
    new Option("--preload <library>", "a library to preload; may be repeated").argParser(
      parsePreload,
    ),
    new Option("--sync <on|off>", "whether commits wait for standbys (new cluster: off)")
      .choices(["on", "off"])
      .env("UNDERSTUDY_SYNC"),
    new Option("--required <n>", "with --sync on: for how many of them (1)")
      .argParser(parseRequired)
      .env("UNDERSTUDY_REQUIRED"),
    new Option("--locale <locale>", "locale of a new cluster's databases (C.UTF-8)")
      .argParser(parseNotEmpty)
      .env("UNDERSTUDY_LOCALE"),
  ];
}

function placeOptions(): Option[] {
  return [
    new Option("--pg-bin <directory>", "where PostgreSQL's programs are")
      .argParser(parseNotEmpty)
      .env("UNDERSTUDY_PG_BIN"),
    new Option("--user <user>", "when started by root: the account PostgreSQL runs as")
      .argParser(parseNotEmpty)
      .env("UNDERSTUDY_USER"),
    new Option("--foreground", "stay, and stop the cluster with Ctrl-C"),
    new Option(
      "--adopt-record",
      "make the cluster's record anew from its members' data, when it is lost or damaged",
    ),
    timeoutOption("10m"),
  ];
}

async function up(session: Session, call: { options: Options }): Promise<void> {
  const place = await session.place();
  const local = await session.local();
  const { options } = call;
  const wish: UpOptions = {
    place,
    standbys: options.standbys ?? null,
    major: options.postgres ?? null,
    port: options.port ?? null,
    pgBin: options.pgBin ?? null,
    user: options.user ?? null,
    locale: options.locale ?? null,
    parameters: options.param ?? {},
    preload: options.preload ?? [],
    sync: options.sync ?? null,
    required: options.required ?? null,
    adoptRecord: options.adoptRecord === true,
    timeoutMs: options.timeout,
    signal: session.context.signal,
  };
  const result = await showingMembers(session, (onStep) => local.upCluster(wish, onStep));
  if (result.alreadyRunning) session.step(`${place.name} is running already; nothing was changed`);
  await session.answer({
    document: result.status,
    table: (look) =>
      renderFooter(
        {
          endpoints: result.status.endpoints,
          program: session.program,
          next: ["status", "psql", "switchover", "down"],
        },
        look,
      ),
    names: () => result.status.members.map((member) => member.name),
  });
  if (options.foreground === true) await stayUntilInterrupted(session, options.timeout);
}

/** Ctrl-C or SIGTERM is then the wish to stop, and no mistake. */
async function stayUntilInterrupted(session: Session, timeoutMs: number): Promise<void> {
  const { signal } = session.context;
  session.note("Ctrl-C stops the cluster");
  if (!signal.aborted) {
    // A signal alone does not keep the process.
    const alive = setInterval(() => {}, 60_000);
    await once(signal, "abort");
    clearInterval(alive);
  }
  const { local, cluster } = await session.cluster();
  const operation = {
    ...session.operation({ timeout: timeoutMs }),
    signal: new AbortController().signal,
  };
  session.step((await local.downCluster(cluster, operation)).summary);
}
