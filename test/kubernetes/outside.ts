// A person outside of Kubernetes: a kubeconfig, and our programs with it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { ApiServer } from "./cluster/api-server.ts";

/** With which that user is known to the API server. */
export async function kubeconfigFor(server: ApiServer, user?: string) {
  const directory = await mkdtemp(join(await realpath(tmpdir()), "understudy-kubectl-"));
  const { authority, token } = await server.access(user).credentials({ renew: false });
  const ca = Buffer.from(authority ?? "").toString("base64");
  const context = { cluster: "test", user: "person", namespace: "shop" };
  const path = join(directory, "config");
  await writeFile(
    path,
    JSON.stringify({
      "current-context": "test",
      clusters: [
        {
          name: "test",
          cluster: { server: server.server.href, "certificate-authority-data": ca },
        },
      ],
      users: [{ name: "person", user: { token: token?.reveal() } }],
      contexts: [{ name: "test", context }],
    }),
    { mode: 0o600 },
  );
  const remove = () => rm(directory, { recursive: true, force: true });
  return { path, [Symbol.asyncDispose]: remove };
}

/** Our programs as a person starts them, to their end. */
export function programWith(kubeconfig: string) {
  return async (program: "understudy" | "kubectl-understudy", ...args: string[]) => {
    const path = fileURLToPath(new URL(`../../bin/${program}.js`, import.meta.url));
    const child = spawn(process.execPath, [path, ...args], {
      env: { ...process.env, KUBECONFIG: kubeconfig, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, err, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "exit"),
    ]);
    return { out, err, status: Number(status) };
  };
}
