// What makes pods of objects and volumes of claims, beside the API server: the controllers and the
// scheduler; and a kube-proxy, through which this machine reaches services.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApiServer } from "./api-server.ts";
import { programPath } from "./home.ts";
import { proxySettings } from "./node-settings.ts";
import type { Wiring } from "./wiring.ts";

export const CONTROL_PLANE_USERS = ["controllers=system:masters", "proxy=system:masters"];
const [CONTROLLERS, PROXY] = ["controllers", "proxy"] as const;

interface Parts {
  readonly server: ApiServer;
  readonly wiring: Wiring;
  /** Words that start a program where it is to run. */
  readonly enter: readonly string[];
}

export async function startControlPlane(parts: Parts): Promise<AsyncDisposable> {
  const { server, wiring } = parts;
  const file = (name: string) => join(server.directory, name);
  const kubeconfig = await writeKubeconfig(server, CONTROLLERS);
  const common = [
    `--kubeconfig=${kubeconfig}`,
    "--leader-elect=false",
    "--port=0",
    "--secure-port=0",
  ];
  const settings = proxySettings({
    name: "machine",
    address: wiring.address,
    allPods: wiring.allPods,
    kubeconfig: await proxyKubeconfig(server),
  });
  await writeFile(file("proxy.json"), settings);
  const stops = [
    runBeside(parts, "kube-controller-manager", [
      ...common,
      `--service-account-private-key-file=${file("accounts.key")}`,
      `--root-ca-file=${file("ca.crt")}`,
      "--controllers=*,-csrsigning,-csrapproving,-csrcleaner",
      "--pvclaimbinder-sync-period=2s",
    ]),
    runBeside(parts, "kube-scheduler", common),
    runBeside(parts, "kube-proxy", [`--config=${file("proxy.json")}`]),
  ];
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

export function proxyKubeconfig(server: ApiServer): Promise<string> {
  return writeKubeconfig(server, PROXY);
}

/** @returns its path. */
export async function writeKubeconfig(server: ApiServer, user: string): Promise<string> {
  const path = join(server.directory, `${user.replaceAll(":", "-")}.kubeconfig`);
  await writeFile(path, server.kubeconfig(user), { mode: 0o600 });
  return path;
}

/** @returns what ends it. */
function runBeside(parts: Parts, program: string, args: readonly string[]): () => Promise<void> {
  const { server, enter } = parts;
  const words = [...enter, programPath(program), ...args];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...words], {
    cwd: server.directory,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = createWriteStream(join(server.directory, `${program}.log`));
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  child.once("close", () => log.end());
  return async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
}
