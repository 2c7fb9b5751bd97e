// Where a member listens: as the record says, and where that cannot be read, as it last was.
import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { RecordMember } from "../core/record.ts";
import type { Store } from "../store/store.ts";
import { writeWhole } from "../postgres/write-whole.ts";

export type MemberAddress = Pick<RecordMember, "host" | "port" | "apiPort" | "tlsName">;

const addressSchema = v.object({
  host: v.string(),
  port: v.number(),
  apiPort: v.number(),
  tlsName: v.optional(v.string()),
});

/** As an agent of it has written it down; null where none has. */
export async function readLastAddress(path: string): Promise<MemberAddress | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), addressSchema), text);
  return parsed.success ? parsed.output : null;
}

/**
 * Written down where it is another one than before. An agent that cannot (its disk is full) runs
 * all the same: it needs this only when it begins while the store is away.
 * @returns why it could not be; null where it stands there.
 */
export async function keepAddress(path: string, address: MemberAddress): Promise<string | null> {
  const { host, port, apiPort, tlsName } = address;
  const text = `${JSON.stringify({ host, port, apiPort, tlsName })}\n`;
  try {
    const before = await readFile(path, "utf8").catch(() => null);
    if (before !== text) await writeWhole(path, text);
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/**
 * An agent that begins while the store is away must not end for that: the server that its
 * predecessor has left would then be without an agent, and its deadman would kill it.
 * @throws UnderstudyError MEMBER_NOT_FOUND when the record has no such member; and where no agent
 * of it has ever run, whatever reading the record throws.
 */
export async function ownAddress(
  store: Pick<Store, "read">,
  of: { member: string; lastAddress: string },
): Promise<MemberAddress> {
  try {
    const address = await addressInRecord(store, of.member);
    if (address !== null) return address;
  } catch (thrown) {
    const last = await readLastAddress(of.lastAddress);
    if (last === null) throw thrown;
    return last;
  }
  throw new UnderstudyError("MEMBER_NOT_FOUND", `the cluster's record has no member ${of.member}`);
}

async function addressInRecord(
  store: Pick<Store, "read">,
  member: string,
): Promise<MemberAddress | null> {
  const read = await store.read();
  if (read === null)
    throw new UnderstudyError("RECORD_CORRUPT", "the store holds no record of this cluster");
  return read.record.members[member] ?? null;
}
