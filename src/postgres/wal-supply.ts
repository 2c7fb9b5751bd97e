// Whether a server still has the WAL that a standby needs: asked as the standby's walreceiver
// asks, so that the answer is the one that it would get (manual, 55.4 START_REPLICATION).
import { codeOf, messageOf } from "../core/errors.ts";
import { formatLsn, lsnFromBigInt, type Lsn } from "../core/lsn.ts";
import { connect, type ConnectOptions } from "./connect.ts";

export type WalSupply =
  | { readonly kind: "served" }
  /** It had that WAL once and has it no more. */
  | { readonly kind: "removed"; readonly message: string }
  /** It did not say: it is away, or behind. */
  | { readonly kind: "unknown"; readonly message: string };

/** SQLSTATE: "requested WAL segment … has already been removed". */
const UNDEFINED_FILE = "58P01";
/** Where there is no WAL to send yet, nothing is sent; what is gone is told at once. */
const SILENCE_MS = 2_000;

/** @param need.position a standby asks from the beginning of the segment that holds it */
export async function probeWalSupply(
  target: Omit<ConnectOptions, "replication">,
  need: { readonly position: Lsn; readonly timeline: number; readonly segmentBytes: number },
): Promise<WalSupply> {
  const { position, timeline, segmentBytes } = need;
  const start = lsnFromBigInt(position - (position % BigInt(segmentBytes)));
  try {
    const client = await connect({ ...target, replication: true, queryTimeoutMs: 0 });
    try {
      const sql = `START_REPLICATION PHYSICAL ${formatLsn(start)} TIMELINE ${timeline}`;
      const answer = client.query(sql).then(() => null);
      const something = new Promise<null>((resolve) => {
        client.connection.once("copyData", () => resolve(null));
        setTimeout(() => resolve(null), SILENCE_MS).unref();
      });
      await Promise.race([answer, something]);
      return { kind: "served" };
    } finally {
      await client.end().catch(() => {});
    }
  } catch (thrown) {
    const message = messageOf(thrown);
    return codeOf(thrown) === UNDEFINED_FILE
      ? { kind: "removed", message }
      : { kind: "unknown", message };
  }
}
