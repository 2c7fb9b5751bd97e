// A process that rescues into a small file system that only it sees, where it is asked to together
// with somebody who fills it, and says as JSON how that ended (wal-rescue-small-disk.test.ts).
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { lsnFromBigInt } from "../../src/core/lsn.ts";
import { rescueWal } from "../../src/postgres/wal-rescue/rescue-wal.ts";
import { fillDisk, outcomeOf } from "../support/small-disk.ts";

export interface SmallDiskGiven {
  readonly deadDataDir: string;
  readonly standbyDataDir: string;
  readonly spoolDir: string;
  readonly position: string;
  /** The file at whose appearance somebody else takes all the room; null for nobody. */
  readonly fillAt: string | null;
}

export interface SmallDiskOutcome {
  readonly code: string;
  readonly message: string;
  readonly spooled: readonly string[];
  readonly isFilled: boolean;
}

const given = JSON.parse(process.argv[2] ?? "") as SmallDiskGiven;
const { fillAt, spoolDir } = given;
const somebodyElse = join(dirname(spoolDir), "somebody-else");
// The rescue goes on only when this thread is free again, so nothing is copied in between.
const watch = setInterval(() => {
  if (fillAt === null || !existsSync(join(spoolDir, fillAt))) return;
  clearInterval(watch);
  fillDisk(somebodyElse);
}, 1);
const rescue = rescueWal({
  ...given,
  position: lsnFromBigInt(BigInt(given.position)),
  leaveUpstream: async () => {},
  signal: AbortSignal.timeout(60_000),
});
const ended = await outcomeOf(rescue, ({ kind }) => `the rescue ended as ${kind}`);
clearInterval(watch);
const outcome: SmallDiskOutcome = {
  ...ended,
  spooled: readdirSync(spoolDir),
  isFilled: existsSync(somebodyElse),
};
process.stdout.write(JSON.stringify(outcome));
