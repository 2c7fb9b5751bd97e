// A modelled primary that lets nobody in for want of room: what its own agent is told when it logs
// in, and how it gives its part away, as src/agent/effects/step-down.ts. Whether it is so is
// decided by the real ShutOut.
import { awaitSuccessor } from "../../../src/agent/effects/await-successor.ts";
import type { EffectContext } from "../../../src/agent/effects/effect.ts";
import { isUp } from "../../../src/agent/ground.ts";
import { UnderstudyError } from "../../../src/core/errors.ts";
import type { Ground } from "../../../src/core/protocol/situation.ts";
import { openElection } from "../../../src/core/record-changes.ts";
import type { Life } from "../life.ts";
import { ballotOf } from "./election.ts";
import type { ModelMember } from "./member.ts";
import type { ModelServer } from "./server.ts";
import type { Steps } from "./steps.ts";

type Context = EffectContext<ModelMember>;

const LOGIN_LIMIT_MS = 1_000;
const PATIENCE_MS = 3_000;

/** As in src/agent/run-agent.ts. */
export async function isShutOut(
  { keeper, shutOut }: ModelMember,
  ground: Ground,
): Promise<boolean> {
  return keeper.holdsLease && isUp(ground) && (await shutOut.look()) !== null;
}

/** The SQLSTATE with which it turns a login away, or the system's word; null: it lets it in. */
export function refusalOf(server: ModelServer): string | null {
  if (server.state === "stopped") return "ECONNREFUSED";
  if (server.state === "accepting" && !server.closed && server.takesConnections) return null;
  if (server.door.isShut) return "53100";
  return server.state === "accepting" && !server.closed ? "53300" : "57P03";
}

/** @throws UnderstudyError CONNECTION_FAILED as connect does. */
export async function logIn(
  steps: Pick<Steps, "refusalOf">,
  { server, life }: { server: ModelServer; life: Life },
): Promise<void> {
  const isSilent = server.isHeld || server.isFrozen;
  if (isSilent) await life.sleep(LOGIN_LIMIT_MS);
  const code = isSilent ? "ETIMEDOUT" : steps.refusalOf(server);
  if (code === null) return;
  throw new UnderstudyError("CONNECTION_FAILED", `${server.name} lets nobody in`, {
    details: { code },
  });
}

/** As stepDownShutOut. */
export async function stepDownShutOut(steps: Steps, context: Context): Promise<void> {
  const { member, record } = context;
  if ((await member.shutOut.look()) === null) return;
  const { around, model } = member;
  const isSeenToHaveRoom = (name: string) =>
    around.neighbour(name)?.server.disk.isFull === false && name !== member.name;
  const withRoom = Object.keys(record.members).filter(isSeenToHaveRoom);
  if (!(await steps.isAnyAble(context, withRoom)))
    throw new UnderstudyError("FAILOVER_REFUSED", `nobody can take the part of ${member.name}`);
  if (!(await steps.mayGiveUp(member, record))) return;
  context.signal.throwIfAborted();
  model.machine.watcher.givenUp(model);
  model.crash();
  const gone = { leader: member.name, heir: null, term: record.term };
  const opened = await member.keeper.change((current) => openElection(current, gone));
  if (opened !== null) member.event({ event: "stepped-down", message: "" });
}

/** As isAnyAble. */
export function isAnyAble(context: Context, names: readonly string[]): Promise<boolean> {
  const { clock } = context.member;
  const ask = () => names.map((name) => ballotOf(context, name));
  return awaitSuccessor({ ask, clock, limitMs: PATIENCE_MS, signal: context.signal });
}
