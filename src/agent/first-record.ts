// What is written where a cluster has no record: the first one of a new cluster, by its founder
// alone; nothing where there is data, which tells that there was a record, unless a person has
// named the member whose data is to count.
import { readdir } from "node:fs/promises";
import { UnderstudyError } from "../core/errors.ts";
import { newRecord, type ClusterRecord, type SyncPolicy } from "../core/record.ts";
import { readControlData } from "../postgres/control-data.ts";
import type { MemberPaths } from "./member-paths.ts";
import { MemberMemory } from "./memory.ts";

export interface FirstRecord {
  readonly cluster: string;
  readonly member: string;
  readonly paths: Pick<MemberPaths, "data" | "memory">;
  readonly founding: {
    readonly members: readonly string[];
    readonly ttlMs: number;
    readonly sync: SyncPolicy;
  };
  /** Whom a person has named; null: nobody. */
  readonly adopter: string | null;
  /** For how long this agent has seen that there is no record. */
  readonly goneMs: number;
}

/**
 * Beyond what any member is likely to have known: of those whose data does not count one may have
 * known a later term than the one that a person has named.
 */
const TERMS_BEYOND = 1_000;

/**
 * @throws UnderstudyError RECORD_LOST where nothing may be written, with what is to be done; what
 * reading the data may throw.
 */
export async function firstRecord(of: FirstRecord): Promise<ClusterRecord> {
  const { member, cluster, founding } = of;
  const memory = await MemberMemory.load(of.paths.memory);
  const hasData = await holdsFiles(of.paths.data);
  if (of.adopter === member && hasData) return adopted(of, memory);
  const [founder = member] = founding.members;
  if (hasData || memory.term > 0 || of.adopter !== null)
    throw new UnderstudyError(
      "RECORD_LOST",
      `the cluster ${cluster} has no record: ${whyNot(of, { hasData, memory })}`,
    );
  if (founder !== member)
    throw new UnderstudyError(
      "RECORD_LOST",
      `the cluster ${cluster} has no record: ${founder} is to found it`,
      {
        hint: `A cluster is founded by its first member; see why ${founder} does not run.`,
      },
    );
  return newRecord({ ...empty(of), founder });
}

function empty({ cluster, founding: { ttlMs, sync } }: FirstRecord) {
  return { cluster, ttlMs, sync, members: {} };
}

function whyNot(
  { member, adopter }: FirstRecord,
  of: { hasData: boolean; memory: MemberMemory },
): string {
  const own = of.hasData
    ? `${member} has data of it`
    : of.memory.term > 0
      ? `${member} has known one of term ${of.memory.term}`
      : `${member} has no data`;
  const named = adopter === null ? "" : `, and ${adopter} is named to make it anew`;
  return `${own}${named}, so nothing is founded here`;
}

/**
 * As if that member had just stopped on request: it leads next, in a term that nobody has known.
 * Not before a lease has gone by: an earlier run of its agent may have confirmed a leader for so
 * long.
 */
async function adopted(of: FirstRecord, memory: MemberMemory): Promise<ClusterRecord> {
  const { member, founding } = of;
  if (of.goneMs < founding.ttlMs)
    throw new UnderstudyError(
      "RECORD_LOST",
      `${member} makes the record of ${of.cluster} anew when a lease (${founding.ttlMs / 1_000} s) has gone by`,
    );
  const { systemId } = await readControlData(of.paths.data);
  return {
    ...newRecord({ ...empty(of), founder: member }),
    systemId,
    forks: [...memory.forks],
    term: memory.term + TERMS_BEYOND,
  };
}

async function holdsFiles(directory: string): Promise<boolean> {
  return (await readdir(directory).catch(() => [])).length > 0;
}
