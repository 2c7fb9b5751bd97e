// Where the Kubernetes API is, whom to trust there, and by what one is known. In a pod all of that
// is in files and environment variables, and the files are replaced while the pod runs.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";

export interface Credentials {
  /** PEM; null: what the system trusts. */
  readonly authority: string | null;
  readonly token: Secret | null;
  /** PEM, as administrators have them. */
  readonly certificate: { readonly chain: string; readonly key: Secret } | null;
}

export interface ApiAccess {
  readonly server: URL;
  /**
   * Those that hold now.
   * @param renew true: the last ones were refused, so they are not to come from memory.
   * @throws UnderstudyError KUBERNETES_FORBIDDEN where they cannot be read.
   */
  credentials(options: { renew: boolean }): Promise<Credentials>;
}

/** Where the kubelet puts them, in every pod. */
const DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";
/** The kubelet replaces a token long before it expires; the documentation asks for this. */
const REREAD_MS = 60_000;

/** @throws UnderstudyError KUBERNETES_UNAVAILABLE outside of a pod. */
export function accessInPod(
  options: { env?: NodeJS.ProcessEnv; directory?: string } = {},
): ApiAccess {
  const { env = process.env, directory = DIRECTORY } = options;
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"];
  if (host === undefined || port === undefined)
    throw new UnderstudyError(
      "KUBERNETES_UNAVAILABLE",
      "cannot find the Kubernetes API: KUBERNETES_SERVICE_HOST is not set, so this is no pod",
    );
  const files = new CredentialFiles(directory);
  return {
    server: new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`),
    credentials: ({ renew }) => files.read({ renew }),
  };
}

/** The namespace that this pod is in. @throws UnderstudyError KUBERNETES_UNAVAILABLE. */
export async function namespaceInPod(directory: string = DIRECTORY): Promise<string> {
  return (await readOne(join(directory, "namespace"))).trim();
}

class CredentialFiles {
  readonly #directory: string;
  #read: { readonly credentials: Credentials; readonly atMs: number } | null = null;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async read({ renew }: { renew: boolean }): Promise<Credentials> {
    const last = this.#read;
    if (!renew && last !== null && performance.now() - last.atMs < REREAD_MS)
      return last.credentials;
    const [authority, token] = await Promise.all([
      readOne(join(this.#directory, "ca.crt")),
      readOne(join(this.#directory, "token")),
    ]);
    const credentials = { authority, token: new Secret(token.trim()), certificate: null };
    this.#read = { credentials, atMs: performance.now() };
    return credentials;
  }
}

async function readOne(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new UnderstudyError(
      "KUBERNETES_FORBIDDEN",
      `cannot read the service account's ${path}: ${messageOf(cause)}`,
      { cause, hint: "The pod needs a service account whose token is mounted." },
    );
  }
}
