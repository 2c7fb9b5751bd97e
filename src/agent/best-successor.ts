// To whom a primary hands over where nobody was named.
import { UnderstudyError } from "../core/errors.ts";
import { lsnDistance, parseLsnOrNull } from "../core/lsn.ts";
import { chooseSuccessor } from "../core/protocol/successor.ts";
import type { EffectContext } from "./effects/effect.ts";
import { readReplication } from "./probe.ts";

/**
 * The best of those that stream from this member now.
 * @throws UnderstudyError SWITCHOVER_REFUSED where there is none, and what its server says.
 */
export async function bestSuccessor({
  member,
  record,
}: Pick<EffectContext, "member" | "record">): Promise<string> {
  const { session, positions, name } = member;
  const [peers, own] = await Promise.all([readReplication(session), positions.read()]);
  const to = parseLsnOrNull(own.writeLsn);
  const standbys = Object.keys(record.members)
    .filter((each) => each !== name)
    .map((each) => {
      const peer = peers.find(({ applicationName }) => applicationName === each);
      const from = parseLsnOrNull(peer?.replayLsn);
      const replayLagBytes = from === null || to === null ? null : lsnDistance({ from, to });
      return { name: each, isStreaming: peer?.state === "streaming", replayLagBytes };
    });
  const choice = chooseSuccessor(record, standbys);
  if (choice.name !== null) return choice.name;
  throw new UnderstudyError("SWITCHOVER_REFUSED", `no standby could be chosen: ${choice.why}`);
}
