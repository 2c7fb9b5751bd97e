// PostgreSQL refuses to run as root: a test that is started as root goes on as an unprivileged user, as the agent does.
import { readFile } from "node:fs/promises";

/** For the whole process, and for good. Call it after what needs root, before the first server. */
export async function dropPrivileges(): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const accounts = (await readFile("/etc/passwd", "utf8"))
    .split("\n")
    .map((line) => line.split(":"));
  const account =
    accounts.find(([name]) => name === "postgres") ?? accounts.find(([name]) => name === "nobody");
  const [name, , uid, gid] = account ?? [];
  if (name === undefined || uid === undefined || gid === undefined)
    throw new Error("neither postgres nor nobody is in /etc/passwd");
  process.setgroups?.([Number(gid)]);
  process.setgid?.(Number(gid));
  process.setuid?.(Number(uid));
  // npm, which the tests' binaries come by, would look into root's directory.
  delete process.env["HOME"];
}
