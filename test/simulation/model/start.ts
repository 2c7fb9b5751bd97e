// Starting a modelled server, as src/agent/effects/start.ts.
import { UnderstudyError } from "../../../src/core/errors.ts";
import { OPEN, firstService } from "../../../src/core/protocol/service.ts";
import type { ModelContext } from "./member.ts";
import { writeSettings } from "./service.ts";
import type { Steps } from "./steps.ts";
import { pointAt } from "./supply.ts";

const START_LIMIT_MS = 60_000;

export async function startAsStandby(
  steps: Steps,
  { member, record, signal }: ModelContext,
  upstream: string | null,
): Promise<void> {
  const { life, model, random } = member;
  steps.killOrphans(member);
  const asPrimary = record.leader?.member === member.name;
  await life.sleep(random.between(1, 10), signal);
  steps.removeUnreachedHistories(member);
  writeSettings(member, asPrimary ? firstService(record.sync.guarantee) : OPEN);
  pointAt(member, upstream);
  steps.writeStandbyMode(member, upstream);
  model.start({ withoutReaders: asPrimary && random.chance(0.2) });
  // The leader need not wait until it takes connections.
  if (asPrimary) return;
  for (let waitedMs = 0; model.state !== "accepting"; waitedMs += 20) {
    if (model.state === "stopped" || waitedMs > START_LIMIT_MS)
      throw new UnderstudyError("START_FAILED", `${member.name} did not start`);
    await life.sleep(20, signal);
  }
}
