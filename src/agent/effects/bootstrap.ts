// Makes the data of a new cluster. initData works in a staging directory and renames it whole, so a
// kill at any moment leaves nothing that could be taken for data.
import { setSystemId } from "../../core/record-changes.ts";
import { readControlData } from "../../postgres/control-data.ts";
import { initData } from "../../postgres/init-data.ts";
import { SUPERUSER } from "../member.ts";
import type { EffectContext } from "./effect.ts";

export async function bootstrap({ member, decision, signal }: EffectContext): Promise<void> {
  const { specification, installation } = member.file();
  member.progress({ step: "initdb", bytesDone: null, bytesTotal: null, remainingSeconds: null });
  await initData({
    installation,
    dataDir: member.paths.data,
    superuser: SUPERUSER,
    superuserPassword: member.secrets.superuser,
    locale: specification.spec.postgres.locale,
    signal,
  });
  await recordSystemId(member);
  member.event({
    event: "data-made",
    rule: decision.rule,
    message: `${member.name} made the cluster's data with PostgreSQL ${installation.version}.`,
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
