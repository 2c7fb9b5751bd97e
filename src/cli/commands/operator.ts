// understudy operator: watches PostgresClusters and makes them what they are to be. Runs in a pod;
// outside of one, with a kubeconfig.
import { type Command } from "commander";
import { examples, onRun, type Call } from "../command.ts";
import type { CliContext, Session } from "../session.ts";

export interface OperatorCommandOptions {
  readonly operatorNamespace?: string;
  readonly agentImage?: string;
  readonly clusterDomain: string;
  readonly port: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("operator")
    .summary("make PostgresClusters what they are to be")
    .description(
      "Runs until it is stopped. Of several operators one is at work. No database needs it: failover is the agents' own.",
    )
    .option("--operator-namespace <name>", "where its Lease is (env: UNDERSTUDY_NAMESPACE)")
    .option("--agent-image <image>", "that brings the agent into pods (env: UNDERSTUDY_IMAGE)")
    .option("--cluster-domain <domain>", "the end of names in the DNS", "cluster.local")
    .option("--port <port>", "for probes: /liveness", "8080")
    .action(onRun<OperatorCommandOptions>(context, run));
  examples(command, ["understudy operator --context test --operator-namespace understudy"]);
}

async function run(session: Session, call: Call<OperatorCommandOptions>): Promise<void> {
  const { operate } = await import("../kubernetes/operate.ts");
  await operate(session.context, { ...call.options, context: session.options.context });
}
