// A position in the write-ahead log (WAL): a 64-bit byte address, printed as two hexadecimal halves
// ("0/3000060"). PostgreSQL manual, "pg_lsn Type".
import { UnderstudyError } from "./errors.ts";

declare const lsnBrand: unique symbol;
export type Lsn = bigint & { readonly [lsnBrand]: "Lsn" };

export const ZERO_LSN = 0n as Lsn;
const LIMIT = 1n << 64n;

/** @throws UnderstudyError INTERNAL when the number is no 64-bit unsigned integer. */
export function lsnFromBigInt(value: bigint): Lsn {
  if (value < 0n || value >= LIMIT)
    throw new UnderstudyError("INTERNAL", `${value} is not an LSN: it is outside of 64 bits`);
  return value as Lsn;
}

/** Reads "X/X" as PostgreSQL prints it. @throws UnderstudyError INTERNAL for anything else. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (!match) throw new UnderstudyError("INTERNAL", `"${text}" is not an LSN such as 0/3000060`);
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn;
}

export function parseLsnOrNull(text: string | null | undefined): Lsn | null {
  return text === null || text === undefined || text === "" ? null : parseLsn(text);
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

export function formatLsnOrNull(lsn: Lsn | null): string | null {
  return lsn === null ? null : formatLsn(lsn);
}

/**
 * Bytes from `span.from` to `span.to`; 0 when `to` is not ahead. The two may have been read at
 * different moments.
 */
export function lsnDistance(span: { from: Lsn; to: Lsn }): number {
  return span.to > span.from ? Number(span.to - span.from) : 0;
}

/** The greatest of those that are known, or null when none is. */
export function greatestLsn(...candidates: (Lsn | null)[]): Lsn | null {
  let greatest: Lsn | null = null;
  for (const lsn of candidates)
    if (lsn !== null && (greatest === null || lsn > greatest)) greatest = lsn;
  return greatest;
}
