// A data directory is only ever opened by binaries of the major and the build family that made it.
// Another major refuses by itself; another build would open it, find its text indexes in an order
// that it does not expect, and silently miss rows (lesson table 2, row 18).
import { UnderstudyError } from "../../core/errors.ts";
import type { Major } from "../../core/spec.ts";
import type { Installation } from "../installation.ts";

/** What is kept with a cluster about the binaries that made its data. */
export interface RecordedBuild {
  readonly major: Major;
  readonly family: string;
}

export function isSameBuild(recorded: RecordedBuild, installation: Installation): boolean {
  return recorded.major === installation.major && recorded.family === installation.family;
}

/** @throws UnderstudyError BINARIES_DIFFER */
export function assertSameBuild(recorded: RecordedBuild, installation: Installation): void {
  if (isSameBuild(recorded, installation)) return;
  const { binDir, version, family } = installation;
  const why =
    recorded.major === installation.major
      ? `their build is ${family} and not ${recorded.family}, so they may sort text differently`
      : `they are PostgreSQL ${version}`;
  throw new UnderstudyError(
    "BINARIES_DIFFER",
    `cannot open data of PostgreSQL ${recorded.major} with the binaries in ${binDir}: ${why}`,
    { details: { recorded: { ...recorded }, found: { binDir, version, family } } },
  );
}
