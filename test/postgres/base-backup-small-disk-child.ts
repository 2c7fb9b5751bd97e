// A process that clones onto a small file system that only it sees, where it is asked to together
// with somebody who fills it, and says as JSON how that ended.
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Secret } from "../../src/core/secret.ts";
import { type CloneOptions, cloneDataDirectory } from "../../src/postgres/base-backup/clone.ts";
import { fillDisk, outcomeOf } from "../support/small-disk.ts";

export interface SmallDiskOutcome {
  readonly code: string;
  readonly message: string;
  /** Reported by the copy before it ended. */
  readonly bytesDone: number;
  /** What is on the file system then. */
  readonly left: readonly string[];
}

interface Given extends CloneOptions {
  /** Whether somebody else takes all the room as soon as the first bytes have come. */
  readonly fillUp: boolean;
}

const { fillUp, ...given } = JSON.parse(process.argv[2] ?? "") as Given;
const disk = dirname(given.dataDir);
let bytesDone = 0;
const clone = cloneDataDirectory({
  ...given,
  source: { ...given.source, password: new Secret("unused") },
  rateLimitBytesPerSecond: 40 << 20,
  onProgress: (progress) => {
    bytesDone = progress.bytesDone ?? bytesDone;
    if (fillUp && bytesDone > 0) fillDisk(join(disk, "somebody-else"));
  },
  signal: AbortSignal.timeout(60_000),
});
const ended = await outcomeOf(clone, () => "the copy succeeded");
const outcome: SmallDiskOutcome = { ...ended, bytesDone, left: await readdir(disk) };
process.stdout.write(JSON.stringify(outcome));
