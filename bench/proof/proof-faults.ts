// The rows of the fault table: what happens to the primary, in the words of the table.
import { faultOf, type Fault } from "../../src/local/drill/fault.ts";
import { AGENT_HUNG, DATA_GONE, POSTMASTER_HUNG, POSTMASTER_KILLED } from "./more-faults.ts";
import { diskFull } from "./small-disks.ts";

interface Row {
  readonly words: string;
  readonly fault: Fault;
}

const MINUTE_MS = 60_000;
const OUTAGE_MS = 20_000;

export const PROOF_FAULTS = {
  crash: { words: "PostgreSQL killed whole", fault: faultOf("crash", 0) },
  "postmaster-killed": { words: "the postmaster alone killed", fault: POSTMASTER_KILLED },
  "member-death": {
    words: "member killed whole, its agent too",
    fault: faultOf("member-death", 0),
  },
  "postmaster-hung": { words: "postmaster hung (SIGSTOP)", fault: POSTMASTER_HUNG },
  "agent-hung": { words: "agent hung (SIGSTOP)", fault: AGENT_HUNG },
  freeze: {
    words: "everything of it frozen for a minute, then thawed",
    fault: faultOf("freeze", MINUTE_MS),
  },
  "data-gone": { words: "data directory deleted", fault: DATA_GONE },
  "store-outage": { words: "store locked for 20 s", fault: faultOf("store-outage", OUTAGE_MS) },
  switchover: { words: "switchover", fault: faultOf("switchover", 0) },
  "disk-full": { words: "disk full until PostgreSQL ends, then freed", fault: diskFull(OUTAGE_MS) },
} as const satisfies Record<string, Row>;

export type ProofFault = keyof typeof PROOF_FAULTS;

export function isProofFault(name: string): name is ProofFault {
  return name in PROOF_FAULTS;
}
