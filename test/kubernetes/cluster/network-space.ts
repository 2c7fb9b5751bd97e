// A network of its own, kept open by a process that does nothing: with that process, which ends
// with this one however it ends, all links, addresses and routes in it are gone.
import { spawn, type ChildProcess } from "node:child_process";
import { readlink } from "node:fs/promises";
import { eventually } from "../../support/eventually.ts";
import { run } from "../../support/debian-packages.ts";

export class NetworkSpace implements AsyncDisposable {
  readonly #holder: ChildProcess;
  readonly pid: number;

  private constructor(holder: ChildProcess, pid: number) {
    this.#holder = holder;
    this.pid = pid;
  }

  /** With a loopback address, and forwarding between its links. */
  static async open(): Promise<NetworkSpace> {
    const words = ["--pdeathsig", "KILL", "--", "unshare", "--net", "sleep", "infinity"];
    const holder = spawn("setpriv", words, { stdio: "ignore" });
    const { pid } = holder;
    if (pid === undefined) throw new Error("setpriv (util-linux) does not start");
    const own = await readlink("/proc/self/ns/net");
    await eventually("a network of its own", async () => {
      return (await readlink(`/proc/${pid}/ns/net`)) !== own;
    });
    const space = new NetworkSpace(holder, pid);
    await space.ip("link set lo up");
    await space.set("net/ipv4/ip_forward", "1");
    return space;
  }

  /** What comes before a program that is to run in it. */
  get enter(): string[] {
    return ["nsenter", `--net=/proc/${this.pid}/ns/net`, "--"];
  }

  /** @param command words of ip(8). */
  async ip(command: string): Promise<void> {
    await this.run(["ip", ...command.split(" ")]);
  }

  /** @param name "net/ipv4/ip_forward". */
  async set(name: string, value: string): Promise<void> {
    await this.run(["sh", "-c", `echo ${value} > /proc/sys/${name}`]);
  }

  async run([program = "", ...args]: readonly string[]): Promise<string> {
    const [enter = "", ...words] = this.enter;
    return run(enter, [...words, program, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
  }
}
