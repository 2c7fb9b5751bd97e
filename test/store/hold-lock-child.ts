// Holds a process lock until it is killed, and never looks at it again: its argument is the lock's
// path. Started with --expose-gc, it says so only when everything that could be collected has been.
import { setImmediate as turn } from "node:timers/promises";
import { tryLock } from "../../src/store/process-lock.ts";

const word = tryLock(process.argv[2] ?? "") === null ? "taken" : "held";
for (let round = 0; round < 3; round += 1) {
  await turn();
  globalThis.gc?.();
}
process.stdout.write(`${word}\n`);
setInterval(() => {}, 1_000);
