// Which postmaster was asked to become the primary, in a file beside the data directory. A request
// cannot be taken back: who gets it goes on to be promoted, perhaps much later, when all that it
// has is replayed. So whoever finds that server must know, an agent that begins only now included.
import { readFile, writeFile } from "node:fs/promises";
import type { ProcessIdentity } from "./processes.ts";

/**
 * Before the request. Not synchronized to disk: no postmaster outlives the machine.
 * @throws what the file system throws
 */
export async function notePromotion(dataDir: string, postmaster: ProcessIdentity): Promise<void> {
  await writeFile(notePath(dataDir), textOf(postmaster), { mode: 0o600 });
}

/** Whether it is noted of this very postmaster. */
export async function isPromotionNoted(
  dataDir: string,
  postmaster: ProcessIdentity,
): Promise<boolean> {
  const noted = await readFile(notePath(dataDir), "utf8").catch(() => null);
  return noted === textOf(postmaster);
}

function notePath(dataDir: string): string {
  return `${dataDir}.promoting`;
}

function textOf({ pid, startTicks, bootId }: ProcessIdentity): string {
  return `${pid} ${startTicks} ${bootId}\n`;
}
