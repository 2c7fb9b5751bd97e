// A process that rescues and is killed in the middle (wal-rescue.test.ts).
import { lsnFromBigInt } from "../../src/core/lsn.ts";
import { rescueWal } from "../../src/postgres/wal-rescue/rescue-wal.ts";

const asked: unknown = JSON.parse(process.argv[2] ?? "");

await rescueWal({
  deadDataDir: field("deadDataDir"),
  standbyDataDir: field("standbyDataDir"),
  spoolDir: field("spoolDir"),
  position: lsnFromBigInt(BigInt(field("position"))),
  leaveUpstream: async () => {},
  signal: AbortSignal.timeout(60_000),
});

function field(name: string): string {
  const value: unknown =
    typeof asked === "object" && asked !== null ? Reflect.get(asked, name) : undefined;
  return String(value);
}
