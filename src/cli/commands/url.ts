// understudy url: a complete connection string, the one place that prints the password.
import { Option, type Command } from "commander";
import { readersIn } from "../../core/cluster-status.ts";
import { connectionUrl } from "../../core/connection-url.ts";
import { examples, onRun } from "../command.ts";
import { memberNamed } from "../members.ts";
import type { CliContext, Session } from "../session.ts";

interface Options {
  readonly write?: boolean;
  readonly read?: boolean;
  readonly member?: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("url")
    .summary("a complete connection string, password included")
    .description(
      "Prints a connection string that works as it is. Everything else that prints one hides the password.\n" +
        "target_session_attrs=prefer-standby is known to libpq from PostgreSQL 14 on.",
    )
    .addOption(
      new Option("--write", "to the primary, wherever it is (default)").conflicts([
        "read",
        "member",
      ]),
    )
    .addOption(new Option("--read", "to a standby, else the primary").conflicts(["member"]))
    .option("--member <member>", "to this member and no other")
    .action(onRun<Options>(context, url));
  examples(command, ['psql "$(understudy url)"', "export DATABASE_URL=$(understudy url --read)"]);
}

async function url(session: Session, call: { options: Options }): Promise<void> {
  const { local, cluster, status } = await session.status();
  const { member, read } = call.options;
  const password = await local.applicationPassword(cluster);
  const isPrimary = ({ name }: { name: string }) => name === status.primary;
  const primaries = status.members.filter((each) => isPrimary(each));
  const others = status.members.filter((each) => !isPrimary(each));
  const text =
    member !== undefined
      ? connectionUrl({ hosts: [memberNamed(status, member)], wants: "any", password })
      : read === true
        ? connectionUrl({ hosts: readersIn(status.members), wants: "prefer-standby", password })
        : connectionUrl({ hosts: [...primaries, ...others], wants: "read-write", password });
  await session.answer({
    document: { url: text },
    table: () => text,
    names: () => [text],
  });
}
