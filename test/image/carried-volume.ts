// What the init container does before PostgreSQL's own starts: a volume filled from our image.
import assert from "node:assert/strict";
import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CARRIED_HOME } from "../../image/launchers.ts";
import { buildTree } from "./built-image.ts";
import { IS_ROOT, runIn, type Container } from "./container.ts";

/**
 * @param scratch a directory that everybody can enter. @returns the init container, when it ended.
 */
export async function fillVolume(scratch: string, uid: number): Promise<Container> {
  const root = buildTree(scratch);
  // A container's runtime makes them.
  for (const place of ["proc", "dev"]) await mkdir(join(root, place));
  const volume = join(scratch, "volume");
  await mkdir(volume);
  // As the kubelet does with fsGroup.
  if (IS_ROOT) await chown(volume, 0, uid);
  await chmod(volume, 0o2775);
  const init: Container = {
    root,
    uid,
    volumes: [{ source: volume, target: CARRIED_HOME, writable: true }],
  };
  const { status, stdout, stderr } = await runIn(init, ["/understudy/bring", CARRIED_HOME]);
  assert.equal(status, 0, stdout + stderr);
  assert.equal(JSON.parse(stdout).event, "agent-brought");
  return init;
}
