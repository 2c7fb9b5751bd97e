// Holds a process lock until it is killed: its argument is the lock's path.
import { tryLock } from "../../src/store/process-lock.ts";

const lock = tryLock(process.argv[2] ?? "");
process.stdout.write(lock === null ? "taken\n" : "held\n");
setInterval(() => {}, 1_000);
