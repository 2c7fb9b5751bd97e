// That a member was removed while its pod still was, noted where it stays for as long as the pod
// does. What the agent is told says so too, but up to two minutes late; until then its container is
// started again and again, and would bring the member back each time.
import { readFile, writeFile } from "node:fs/promises";
import { uptime } from "node:os";

/** The kubelet looks each minute, at what it has heard up to a minute ago. */
const TOLD_LATE_S = 120;

/** @param path of a file in the pod's own volume, which no other pod has */
export async function noteRemoval(path: string): Promise<void> {
  await writeFile(path, `${uptime()}\n`);
}

/**
 * Whether what the agent is told may still be of before. A later file that names the member means
 * it.
 */
export async function wasJustRemoved(path: string): Promise<boolean> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return false;
  const agoS = uptime() - Number(text);
  // Less than none: the machine was started anew.
  return agoS >= 0 && agoS < TOLD_LATE_S;
}
