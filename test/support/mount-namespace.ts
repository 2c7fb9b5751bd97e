// File systems that only a test's own processes see, and that are gone with them. Root takes a
// mount namespace; an ordinary user one inside of a user namespace where he is root, with processes
// of its own, and a second user namespace below it where he is himself again, because PostgreSQL
// and Understudy refuse to be root.
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { type Interface, createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { eventually } from "./eventually.ts";

type Shell = ChildProcessByStdio<Writable, Readable, null>;

export class MountNamespace implements AsyncDisposable {
  /** Put before a program and its arguments, it runs them inside, as the test's own user. */
  readonly enter: readonly string[];
  readonly #shell: Shell;
  readonly #lines: AsyncIterator<string>;

  private constructor(of: {
    shell: Shell;
    lines: AsyncIterator<string>;
    enter: readonly string[];
  }) {
    this.#shell = of.shell;
    this.#lines = of.lines;
    this.enter = of.enter;
  }

  /** @throws Error in unshare's own words where this user may not make one. */
  static async open(): Promise<MountNamespace> {
    return process.getuid?.() === 0 ? MountNamespace.#ofRoot() : MountNamespace.#ofUser();
  }

  static #ofRoot(): MountNamespace {
    // unshare becomes the shell; it lives for as long as its input is open.
    const { shell, lines } = startShell([]);
    const enter = ["nsenter", `--target=${shell.pid}`, "--mount"];
    return new MountNamespace({ shell, lines, enter });
  }

  /**
   * With processes of its own: from below, the user's other servers could be seen, but not where
   * they work, and who cannot see that never has proof that a server of his own is gone.
   */
  static async #ofUser(): Promise<MountNamespace> {
    const own = ["--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const { shell, lines } = startShell(own);
    const first = await eventually("the shell runs", () => onlyChildOf(shell.pid ?? 0));
    const map = `--map-user=${process.getuid?.()} --map-group=${process.getgid?.()}`;
    const stay = `unshare ${map} sleep infinity >/dev/null & trap "kill $!" EXIT; echo $!`;
    const inner = Number(await run({ shell, lines, script: stay }));
    const comm = `/proc/${first}/root/proc/${inner}/comm`;
    const isThere = () => readFileSync(comm, "utf8") === "sleep\n";
    await eventually("the inner user namespace is there", isThere);
    const user = ["--user", "--preserve-credentials"];
    const outer = ["nsenter", `--target=${first}`, "--mount", "--pid", ...user];
    // Whoever enters among other processes waits for a child there, which is to end with him.
    const last = ["setpriv", "--pdeathsig", "SIGTERM"];
    const enter = [...outer, "nsenter", `--target=${inner}`, ...user, ...last];
    return new MountNamespace({ shell, lines, enter });
  }

  /** Where a path inside is to be found from outside. */
  seen(path: string): string {
    return `/proc/${this.#shell.pid}/root${path}`;
  }

  /**
   * @returns what a script prints as the namespace's root. @throws Error with that when it fails.
   */
  asRoot(script: string): Promise<string> {
    return run({ shell: this.#shell, lines: this.#lines, script });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#shell.once("exit", resolve));
    this.#shell.stdin.end();
    await ended;
  }
}

function startShell(options: readonly string[]): { shell: Shell; lines: AsyncIterator<string> } {
  const shell = spawn("unshare", [...options, "--mount", "sh"], {
    stdio: ["pipe", "pipe", "inherit"],
    cwd: "/",
  });
  const input: Interface = createInterface(shell.stdout);
  return { shell, lines: input[Symbol.asyncIterator]() };
}

/** @returns null before it has one. */
function onlyChildOf(pid: number): number | null {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
  return child === undefined || child === "" ? null : Number(child);
}

async function run(of: {
  shell: Shell;
  lines: AsyncIterator<string>;
  script: string;
}): Promise<string> {
  of.shell.stdin.write(`{ ${of.script}; } 2>&1; echo "status $?"\n`);
  const said: string[] = [];
  for (;;) {
    const { value, done } = await of.lines.next();
    assert.ok(done !== true, `the shell of the mount namespace ended: ${said.join("\n")}`);
    const [, status] = /^status (\d+)$/.exec(value) ?? [];
    if (status === "0") return said.join("\n");
    if (status !== undefined) throw new Error(`${of.script}: ${said.join("\n")}`);
    said.push(value);
  }
}
