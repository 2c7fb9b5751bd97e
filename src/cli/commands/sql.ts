// understudy sql: one or more statements, run without any client program.
import { Option, type Command } from "commander";
import { UnderstudyError } from "../../core/errors.ts";
import { parseDuration } from "../arguments.ts";
import { examples, onRun, superuserOption } from "../command.ts";
import { harmless } from "../output/text.ts";
import {
  renderResult,
  renderTag,
  resultToJson,
  type StatementResult,
} from "../screens/sql-result.ts";
import type { CliContext, Session } from "../session.ts";

const MAX_STATEMENT_BYTES = 64 * 1024 * 1024;

interface Options {
  readonly read?: boolean;
  readonly member?: string;
  readonly asSuperuser?: boolean;
  readonly timeout?: number;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("sql")
    .summary("run a statement on the primary, or with --read on a standby")
    .description(
      "Runs one or more statements as the application's role and prints what comes back.\n" +
        "With -o json: an array of rows; of several results, an array of such arrays.",
    )
    .argument("[statement...]", "the statement; without one, or with -, it is read from stdin")
    .addOption(new Option("--read", "on the standby that has replayed most").conflicts(["member"]))
    .option("--member <member>", "on this member")
    .addOption(superuserOption())
    .addOption(
      new Option("--timeout <duration>", "cancel a statement after this long").argParser(
        parseDuration,
      ),
    )
    .action(onRun<Options>(context, sql));
  examples(command, [
    'understudy sql "SELECT version()"',
    "understudy sql --read --json 'TABLE account'",
    'understudy sql --as-superuser "CREATE EXTENSION pg_stat_statements"',
  ]);
}

async function sql(
  session: Session,
  call: { args: readonly string[]; options: Options },
): Promise<void> {
  const typed = call.args.join(" ");
  const text = typed === "" || typed === "-" ? await readStatement(session) : typed;
  const { sqlTarget } = await import("../sql/sql-target.ts");
  const { runStatement } = await import("../sql/run-statement.ts");
  const { target } = await sqlTarget(session, call.options);
  const results: StatementResult[] = [];
  const listener = {
    onResult: (result: StatementResult) => {
      if (session.forPeople) printResult(session, result);
      else results.push(result);
    },
    onCopyData: (chunk: Uint8Array) => session.print(Buffer.from(chunk).toString("utf8")),
    onNotice: (notice: string) => session.note(harmless(notice)),
  };
  const limits = { signal: session.context.signal, timeoutMs: call.options.timeout ?? 0 };
  await runStatement({ text, target }, listener, limits);
  if (!session.forPeople) await answerResults(session, results);
}

function printResult(session: Session, result: StatementResult): void {
  const table = renderResult(result, session.out);
  if (table !== "") session.print(`${table}\n`);
  const tag = renderTag(result);
  if (tag !== "") session.note(tag);
}

async function answerResults(session: Session, results: readonly StatementResult[]): Promise<void> {
  const withRows = results.filter((result) => result.columns.length > 0);
  const [first] = withRows;
  await session.answer({
    document:
      withRows.length > 1
        ? withRows.map((result) => resultToJson(result))
        : first === undefined
          ? []
          : resultToJson(first),
    table: () => "",
    names: () => withRows.flatMap((result) => result.rows.map((row) => row[0] ?? "")),
  });
}

/** @throws UnderstudyError USAGE when there is nothing to read. */
async function readStatement(session: Session): Promise<string> {
  const { stdin } = session.context;
  if (stdin.isTTY === true)
    throw new UnderstudyError("USAGE", "there is no statement to run", {
      hint: 'Write one: understudy sql "SELECT 1". For a session use: understudy psql',
    });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_STATEMENT_BYTES)
      throw new UnderstudyError("USAGE", "the statements on stdin are longer than 64 MiB", {
        hint: "Use: understudy psql -- -f FILE",
      });
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}
