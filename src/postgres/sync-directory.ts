// A rename or a removal is only on disk when the directory that it happened in is.
import { open } from "node:fs/promises";

/** Makes names that were added to or removed from a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
