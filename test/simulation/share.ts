// One of the processes of many.ts: runs its share, tells how far it is, and answers with the tally.
import { runShare, type Report } from "./many.ts";

// Nobody waits for the rest where the one who asked for it is gone.
process.once("disconnect", () => process.exit());
const tell = (report: Report, then?: () => void) =>
  process.send?.(JSON.stringify(report), () => then?.());
const tally = await runShare(JSON.parse(process.argv[2] ?? "{}"), tell);
tell({ tally }, () => process.disconnect());
