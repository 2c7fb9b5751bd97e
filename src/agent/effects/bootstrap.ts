// Has the data of a new cluster made. initData works in a staging directory and renames it whole,
// so a kill at any moment leaves nothing that could be taken for data.
import { setSystemId } from "../../core/record-changes.ts";
import { readControlData } from "../../postgres/control-data.ts";
import { makeFirstData, takeFoundersTurn } from "../founding.ts";
import type { EffectContext } from "./effect.ts";
import { prepareSettings } from "./start.ts";

export async function bootstrap(context: EffectContext): Promise<void> {
  const { member, decision, signal } = context;
  const { paths, secrets } = member;
  const file = member.file();
  member.progress({ step: "initdb", bytesDone: null, bytesTotal: null, remainingSeconds: null });
  const settings = prepareSettings(context, { upstream: null, asPrimary: true });
  using lock = await takeFoundersTurn(paths, signal);
  if (lock !== null) await makeFirstData({ paths, file, secrets }, { signal });
  await recordSystemId(member);
  await settings;
  member.event({
    event: "data-made",
    rule: decision.rule,
    message: `${member.name} made the cluster's data with PostgreSQL ${file.installation.version}.`,
  });
}

/**
 * Idempotent; also run before a promotion, because a crash may have come between initdb and the
 * record.
 */
export async function recordSystemId(member: EffectContext["member"]): Promise<void> {
  if (member.keeper.record?.systemId !== null) return;
  const { systemId } = await readControlData(member.paths.data);
  await member.keeper.change((record) => setSystemId(record, systemId));
}
