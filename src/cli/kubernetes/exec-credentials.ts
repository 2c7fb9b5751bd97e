// Credentials from a program that the kubeconfig names (client.authentication.k8s.io), as the
// clouds have them.
import { execFile } from "node:child_process";
import { isAbsolute, resolve } from "node:path";
import { promisify } from "node:util";
import { messageOf, UnderstudyError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import type { Credentials } from "../../kubernetes-api/access.ts";

const LIMIT_MS = 60_000;

/** @throws UnderstudyError KUBECONFIG_INVALID. */
export async function runExec(
  exec: Readonly<Record<string, unknown>>,
  of: { directory: string; env: Readonly<Record<string, string | undefined>> },
): Promise<Omit<Credentials, "authority">> {
  const { apiVersion, command, args, env, installHint } = exec;
  if (typeof command !== "string" || typeof apiVersion !== "string")
    throw invalid("its exec names no command, or no apiVersion");
  // As kubectl: with a slash in it, it is of the file's directory; else it is looked for.
  const file =
    command.includes("/") && !isAbsolute(command) ? resolve(of.directory, command) : command;
  const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false } };
  const variables = { ...of.env, ...named(env), KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  const options = { env: variables, timeout: LIMIT_MS, maxBuffer: 1024 * 1024 };
  try {
    const { stdout } = await promisify(execFile)(file, texts(args), options);
    return statusOf(JSON.parse(stdout), command);
  } catch (cause) {
    if (cause instanceof UnderstudyError) throw cause;
    const hint = typeof installHint === "string" ? `. ${installHint}` : "";
    // Of a program's output nothing is repeated: it may hold a token.
    const why =
      cause instanceof SyntaxError
        ? "its output is no JSON"
        : (messageOf(cause).split("\n")[0] ?? "");
    throw invalid(`${command} gave no credentials: ${why}${hint}`);
  }
}

function statusOf(document: unknown, command: string): Omit<Credentials, "authority"> {
  const { token, clientCertificateData, clientKeyData } = Object(Object(document)["status"]);
  const certificate =
    typeof clientCertificateData === "string" && typeof clientKeyData === "string"
      ? { chain: clientCertificateData, key: new Secret(clientKeyData) }
      : null;
  if (typeof token !== "string" && certificate === null)
    throw invalid(`${command} gave neither a token nor a certificate`);
  return { token: typeof token === "string" ? new Secret(token) : null, certificate };
}

function named(env: unknown): Record<string, string> {
  if (!Array.isArray(env)) return {};
  return Object.fromEntries(env.map((each) => [String(each?.name), String(each?.value)]));
}

function texts(list: unknown): string[] {
  return Array.isArray(list) ? list.map(String) : [];
}

function invalid(why: string): UnderstudyError {
  return new UnderstudyError("KUBECONFIG_INVALID", `cannot use the kubeconfig: ${why}`);
}
