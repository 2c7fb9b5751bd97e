// Whom tests run PostgreSQL as: it refuses root, so root takes an unprivileged user; everybody else
// is themselves.
import { chown, mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../src/postgres/run-program.ts";

export interface TestUser {
  readonly uid: number;
  readonly gid: number;
}

/** @returns undefined when this process is not root and needs no other user. */
export async function testUser(): Promise<TestUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    const uid = await id("-u", name);
    const gid = await id("-g", name);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error("there is no user postgres or nobody to run PostgreSQL as");
}

/** A new directory that the test user owns and can reach, with a path short enough for a socket. */
export async function testDirectory(user: TestUser | undefined): Promise<string> {
  const directory = await mkdtemp(join(await realpath(tmpdir()), "understudy-"));
  if (user !== undefined) await chown(directory, user.uid, user.gid);
  return directory;
}

async function id(option: "-u" | "-g", name: string): Promise<number | undefined> {
  const { status, stdout } = await runProgram({
    program: "id",
    args: [option, name],
    timeoutMs: 5_000,
  });
  return status === 0 ? Number(stdout) : undefined;
}
