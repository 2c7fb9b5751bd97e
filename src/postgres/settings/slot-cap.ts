// How much WAL a slot may keep on a member's disk: the server's own setting from 13 on, and what
// the agent goes by before.

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/**
 * A fifth of the disk, at least 1 GiB so that a standby outlives a bulk load, and never over half
 * of the disk, so that a standby which is gone for good cannot fill it (lesson 31). In bytes, whole
 * MiB.
 */
export function slotCapBytes({ diskBytes }: { readonly diskBytes: number }): number {
  const bytes = Math.min(Math.max(diskBytes / 5, GIB), diskBytes / 2);
  return Math.max(64, Math.floor(bytes / MIB)) * MIB;
}
