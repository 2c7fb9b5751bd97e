// A process on a small file system that only it sees, which fills it and then does what an agent
// does as it begins; it says as JSON how that went (full-disk.test.ts).
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../../src/postgres/write-whole.ts";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { keepAddress } from "../../src/agent/own-address.ts";
import { requireOwnVolume, type VolumeUse } from "../../src/agent/own-volume.ts";
import { codeOf } from "../../src/core/errors.ts";
import { fillDisk, outcomeOf } from "../support/small-disk.ts";

export interface FullDiskOutcome {
  /** By a member that was there before. */
  readonly known: { readonly code: string; readonly message: string };
  /** By one that comes for the first time. */
  readonly first: { readonly code: string; readonly message: string };
  readonly sameAddress: string | null;
  readonly otherAddress: string | null;
  /** The code of a write that found no room, and the files that were there then. */
  readonly written: string;
  readonly files: readonly string[];
}

const disk = process.argv[2] ?? "";
const address = { host: "127.0.0.1", port: 6431, apiPort: 7431 };
const known = join(disk, "known");
const addressPath = memberPaths(known, "t-1").address;

await requireOwnVolume(useOf(known));
await keepAddress(addressPath, address);
fillDisk(join(disk, "somebody-else"));
const outcome: FullDiskOutcome = {
  known: await outcomeOf(requireOwnVolume(useOf(known)), () => "it is its own"),
  first: await outcomeOf(requireOwnVolume(useOf(join(disk, "first"))), () => "it is its own"),
  sameAddress: await keepAddress(addressPath, address),
  otherAddress: await keepAddress(addressPath, { ...address, apiPort: 7999 }),
  written: await writeWhole(join(disk, "memory.json"), "{}\n").then(
    () => "none",
    (thrown: unknown) => codeOf(thrown) ?? "",
  ),
  files: readdirSync(disk, { recursive: true }).map(String).sort(),
};
process.stdout.write(JSON.stringify(outcome));

function useOf(root: string): VolumeUse {
  return {
    cluster: "t",
    member: "t-1",
    paths: memberPaths(root, "t-1"),
    installation: { family: "linux-glibc-x64-icu72", major: 18 },
    uid: process.getuid?.() ?? 0,
  };
}
