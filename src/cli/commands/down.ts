// understudy down: stops the cluster and keeps its data; with --delete it is gone for good.
import { type Command } from "commander";
import { answerOutcome, examples, onRun, timeoutOption, type Call } from "../command.ts";
import { formatBytes, listed } from "../output/units.ts";
import type { CliContext, Session } from "../session.ts";

interface Options {
  readonly delete?: boolean;
  readonly timeout: number;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("down")
    .summary("stop the cluster; its data stays")
    .description("Stops standbys and primary cleanly, and their agents. `up` brings them back.")
    .option("--delete", "delete the cluster's data as well; asks first")
    .addOption(timeoutOption("2m"))
    .action(onRun<Options>(context, down));
  examples(command, ["understudy down", "understudy down --delete --yes"]);
}

async function down(session: Session, call: Call<Options>): Promise<void> {
  const { local, cluster } = await session.cluster();
  const operation = session.operation(call.options);
  if (call.options.delete !== true) {
    await answerOutcome(session, await local.downCluster(cluster, operation));
    return;
  }
  const deletion = await local.describeDeletion(cluster);
  const size = deletion.bytes === null ? "" : ` (${formatBytes(deletion.bytes)})`;
  const members = listed(deletion.members);
  await session.confirm({
    what: `delete ${cluster.place.name} with the data of ${members}${size}: ${deletion.paths.join(", ")}`,
    expect: "yes",
    flag: "--yes",
  });
  await answerOutcome(session, await local.deleteCluster(cluster, operation));
}
