// Looks many times whether a process lock is held, and prints how often it seemed so. Its argument
// is the lock's path; it begins when it is told to, so that several look at the same moments.
import { once } from "node:events";
import { isLocked } from "../../src/store/process-lock.ts";

const LOOKS = 300;

process.stdout.write("ready\n");
await once(process.stdin, "data");
let held = 0;
for (let look = 0; look < LOOKS; look += 1) if (isLocked(process.argv[2] ?? "")) held += 1;
process.stdout.write(`${held}\n`);
process.stdin.destroy();
