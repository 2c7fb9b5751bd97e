// A postmaster.pid that keeps a server from starting though nobody runs. PostgreSQL takes any
// process that has the number in it for a server: another program that got the number since, or a
// postmaster that has died and whose parent has not taken note (a zombie; in a container without an
// init, for ever), and refuses the directory for as long as that is so.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { readPostmasterPid } from "./postmaster-pid.ts";
import { surveyServer } from "./processes.ts";

/**
 * Before a start, when orphans have been ended. While such a file stands nobody else can start a
 * server there, so what is seen here still holds when it is removed. A number that nobody has is
 * left to PostgreSQL, which then looks at the shared memory too.
 * @returns whether it was removed.
 */
export async function removeStalePidFile(dataDir: string): Promise<boolean> {
  const file = await readPostmasterPid(dataDir);
  if (file === null || !isTaken(file.pid)) return false;
  const { processes, hidden } = surveyServer(dataDir);
  if (processes.length > 0 || hidden.length > 0) return false;
  await rm(join(dataDir, "postmaster.pid"), { force: true });
  return true;
}

/** As PostgreSQL asks: another user's process does not count. */
function isTaken(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
