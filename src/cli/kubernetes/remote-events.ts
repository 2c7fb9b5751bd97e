// What the members of a cluster on Kubernetes have decided and why: each is asked for its own, and
// whose are missing is told.
import type { Entry } from "../../agent/journal.ts";
import { messageOf } from "../../core/errors.ts";
import { readRecord, type LocalCluster, type Reach } from "../../local/cluster.ts";
import { mergeJournals } from "../../local/merge-journals.ts";

/** How many events each member is asked for. */
const EVENTS = 1_000;
const LIMIT_MS = 10_000;

/**
 * Of all members that answer, in the order in which things happened.
 * @param by.note for people: whose events are not among them
 * @throws UnderstudyError what the first member threw, where none answers.
 */
export async function readEvents(
  cluster: LocalCluster,
  by: { reach: Pick<Reach, "post">; note: (text: string) => void },
): Promise<Entry[]> {
  const record = await readRecord(cluster);
  const options = { path: "/read-events", body: { count: EVENTS }, timeoutMs: LIMIT_MS };
  const journals: Entry[][] = [];
  const missing: { member: string; cause: unknown }[] = [];
  const ask = async (member: string, place: (typeof record.members)[string]) => {
    try {
      const answer = await by.reach.post(place, options);
      journals.push(Object(answer)["events"] as Entry[]);
    } catch (cause) {
      missing.push({ member, cause });
    }
  };
  await Promise.all(Object.entries(record.members).map(([name, place]) => ask(name, place)));
  const [first] = missing;
  if (journals.length === 0 && first !== undefined) throw first.cause;
  for (const { member, cause } of missing)
    by.note(`the events of ${member} are missing: ${messageOf(cause)}`);
  return mergeJournals(journals);
}
