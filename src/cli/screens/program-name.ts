// How the user called us, and about which cluster, so that a printed command can be pasted.
import type { Environment } from "../output/look.ts";

/** Set by bin/kubectl-understudy.js. */
const PLUGIN = "UNDERSTUDY_KUBECTL";

/** Whether kubectl has called us: then a cluster is on Kubernetes. */
export function isPlugin(env: Environment): boolean {
  return env[PLUGIN] === "1";
}

/** npm sets these for what `npx`, `npm exec` and `npm start` run. */
export function programName(env: Environment): string {
  if (isPlugin(env)) return "kubectl understudy";
  return env["npm_command"] || env["npm_lifecycle_event"] ? "npx understudy" : "understudy";
}

/**
 * With --name, --dir and Kubernetes' own where they were typed: "understudy --dir /srv/shop".
 * Variables still hold in the next command.
 */
export function programAsCalled(from: { env: Environment; args: readonly string[] }): string {
  const end = from.args.indexOf("--");
  const args = end === -1 ? from.args : from.args.slice(0, end);
  const place = ["--dir", "--context", "--namespace", "--name"].flatMap((option) => {
    const value = typedValue(args, option);
    return value === undefined || value === "" ? [] : [option, quoted(value)];
  });
  return [programName(from.env), ...place].join(" ");
}

/** The same in a sentence of ours that names commands. */
export function withProgram(text: string, program: string): string {
  return text.replaceAll(/\bunderstudy (?=[a-z])/g, () => `${program} `);
}

function typedValue(args: readonly string[], option: string): string | undefined {
  const inOne = args.findLast((word) => word.startsWith(`${option}=`));
  const at = args.lastIndexOf(option);
  return inOne?.slice(option.length + 1) ?? (at === -1 ? undefined : args[at + 1]);
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
