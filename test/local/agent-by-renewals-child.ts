// An agent as beside a store between hosts: its server lives by renewals that were confirmed, by
// the store or by all members. Arguments as `understudy agent`: agent --dir DIR --member NAME
import { clusterPaths } from "../../src/agent/member-paths.ts";
import { runAgent } from "../../src/agent/run-agent.ts";
import { ownProgram } from "../../src/cli/entry.ts";
import { SqliteStore } from "../../src/store/sqlite-store.ts";

const [, , , , clusterRoot = "", , member = ""] = process.argv;
const path = clusterPaths(clusterRoot).record;
await runAgent({
  clusterRoot,
  member,
  openStore: (cluster) => new SqliteStore({ path, cluster }),
  deadman: { program: ownProgram(), policy: "confirmed-renewals" },
});
