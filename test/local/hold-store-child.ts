// Holds the store's exclusive lock, as a backup program that hangs does: for so many milliseconds,
// then leaves it free for so many, again and again. Arguments: the file and the two times.
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

const LOCK_LIMIT_MS = 30_000;

const [path = "", hold = "0", free = "0"] = process.argv.slice(2);
const database = new DatabaseSync(path, { timeout: LOCK_LIMIT_MS });
for (let round = 0; ; round += 1) {
  database.exec("BEGIN EXCLUSIVE");
  if (round === 0) process.stdout.write("held\n");
  await delay(Number(hold));
  database.exec("COMMIT");
  await delay(Number(free));
}
