// understudy kubernetes install|manifests: what is put into a Kubernetes cluster, or printed for
// somebody else to put there.
import { Option, type Command } from "commander";
import { dryRunOption, examples, onRun, type Call } from "../command.ts";
import type { CliContext, Session } from "../session.ts";

export interface InstallOptions {
  readonly image: string;
  readonly operatorNamespace: string;
  readonly dryRun?: boolean;
  readonly olderKubernetes?: boolean;
}

export interface ManifestOptions {
  readonly filename: string;
  readonly agentImage: string;
  readonly clusterDomain: string;
  readonly onlyApplied?: boolean;
  readonly authority?: string;
  readonly olderKubernetes?: boolean;
}

/** The version of this package is the tag of its image. */
const IMAGE = "understudy:latest";

export function register(program: Command, context: CliContext): void {
  const kubernetes = program
    .command("kubernetes")
    .summary("put Understudy into a Kubernetes cluster");
  examples(kubernetes, [
    "understudy kubernetes install --dry-run | kubectl apply -f -",
    "understudy kubernetes manifests -f cluster.yaml",
  ]);
  kubernetes
    .command("install")
    .summary("the definition of PostgresCluster, and the operator")
    .description(
      "Installs the definition of PostgresCluster and the operator with its rights. What is there already is made the same.",
    )
    .addOption(imageOption("--image <image>", "of the operator and of the agents"))
    .option("--operator-namespace <name>", "where the operator runs", "understudy")
    .addOption(olderOption())
    .addOption(dryRunOption())
    .action(onRun<InstallOptions>(context, install));
  kubernetes
    .command("manifests")
    .summary("a cluster as plain objects, for whoever may not install a definition")
    .description(
      "Prints the objects that the operator would make of each PostgresCluster in a file. The agents work without the operator; what it would do later (to repair, to roll a change out, to scale) is then yours.",
    )
    .requiredOption("-f, --filename <file>", 'PostgresClusters, in YAML or JSON; "-" is stdin')
    .addOption(imageOption("--agent-image <image>", "that brings the agent into each pod"))
    .option("--cluster-domain <domain>", "the end of names in the DNS", "cluster.local")
    .option(
      "--only-applied",
      "leave out what is made once: Secrets with new passwords, the record, the endpoints",
    )
    .option(
      "--authority <file>",
      "the Secret NAME-ca, in YAML or JSON: issue by it what is not in the file with it, as for a member more",
    )
    .addOption(olderOption())
    .action(onRun<ManifestOptions>(context, manifests));
}

function imageOption(flags: string, what: string): Option {
  return new Option(flags, what).env("UNDERSTUDY_IMAGE").default(IMAGE);
}

function olderOption(): Option {
  return new Option("--older-kubernetes", "1.20, with the versions of objects that it has");
}

async function install(session: Session, call: Call<InstallOptions>): Promise<void> {
  const { installOperator, operatorDocuments } = await import("../kubernetes/install.ts");
  if (call.options.dryRun === true) return session.print(operatorDocuments(call.options));
  await installOperator(session, call.options);
}

async function manifests(session: Session, call: Call<ManifestOptions>): Promise<void> {
  const { clusterDocuments, readInput } = await import("../kubernetes/manifests.ts");
  const { authority: file, ...options } = call.options;
  const text = await readInput(options.filename, session.context.stdin);
  const authority = file === undefined ? undefined : await readInput(file, session.context.stdin);
  const { namespace } = session.options;
  session.print(clusterDocuments(text, { ...options, namespace, authority }));
}
