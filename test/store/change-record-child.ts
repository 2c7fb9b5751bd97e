// Changes the record of a SQLite store many times, beside others that do the same: arguments are
// its path and how often.
import { bumpGeneration } from "../../src/core/record-changes.ts";
import { SqliteStore } from "../../src/store/sqlite-store.ts";
import { changeRecord } from "../../src/store/store.ts";

const [path = "", times = "0"] = process.argv.slice(2);
await using store = new SqliteStore({ path, cluster: "demo" });
for (let round = 0; round < Number(times); round += 1) await changeRecord(store, bumpGeneration);
