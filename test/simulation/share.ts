// One of the processes of many.ts: runs its share and answers with the tally.
import { runShare } from "./many.ts";

const tally = await runShare(JSON.parse(process.argv[2] ?? "{}"));
process.send?.(JSON.stringify(tally), () => process.disconnect());
