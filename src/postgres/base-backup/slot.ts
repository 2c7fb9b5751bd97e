// The physical slot of a member, over the replication protocol: there and reserving WAL before its
// base backup begins, so that no WAL that the copy needs can be removed (postgres-facts 10).
import type { Client } from "pg";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import { quoteName } from "./command.ts";

const DUPLICATE_OBJECT = "42710";
const OBJECT_IN_USE = "55006";

/**
 * Makes the slot when it does not exist, and keeps one that reserves WAL. One that reserves none
 * (never used, or invalidated) protects nothing and is made anew; up to 14 the protocol cannot
 * tell, so there it is always made anew, unless somebody streams from it.
 * @returns whether this call made it.
 */
export async function ensureSlot(
  client: Client,
  options: { slot: string; major: number },
): Promise<boolean> {
  // Looked for first: mostly the primary keeps it already, and would log the vain attempt.
  const isKept = async () => options.major >= 15 && (await reservesWal(client, options.slot));
  if (await isKept()) return false;
  if (await createSlot(client, options.slot)) return true;
  if (await isKept()) return false; // It has come in between.
  try {
    await dropSlot(client, options.slot);
  } catch (cause) {
    if (codeOf(cause) === OBJECT_IN_USE) return false;
    throw slotError(options.slot, cause);
  }
  return await createSlot(client, options.slot);
}

/** @returns false when there is one of that name. */
async function createSlot(client: Client, slot: string): Promise<boolean> {
  try {
    await client.query(`CREATE_REPLICATION_SLOT ${quoteName(slot)} PHYSICAL RESERVE_WAL`);
    return true;
  } catch (cause) {
    if (codeOf(cause) === DUPLICATE_OBJECT) return false;
    throw slotError(slot, cause);
  }
}

async function reservesWal(client: Client, slot: string): Promise<boolean> {
  const { rows } = await client.query<{ restart_lsn: string | null }>(
    `READ_REPLICATION_SLOT ${quoteName(slot)}`,
  );
  return typeof rows[0]?.restart_lsn === "string";
}

export async function dropSlot(client: Client, slot: string): Promise<void> {
  await client.query(`DROP_REPLICATION_SLOT ${quoteName(slot)}`);
}

function slotError(slot: string, cause: unknown): UnderstudyError {
  return new UnderstudyError(
    "BACKUP_FAILED",
    `cannot reserve the slot ${slot} before the base backup: ${messageOf(cause)}`,
    { cause, details: { code: codeOf(cause) ?? null } },
  );
}
