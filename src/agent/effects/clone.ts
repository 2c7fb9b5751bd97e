// Copies the primary, because this member has no data or only half a copy.
import { rm } from "node:fs/promises";
import { slotNameOf } from "../../core/name.ts";
import { cloneDataDirectory } from "../../postgres/base-backup/clone.ts";
import { isHalfMade } from "../ground.ts";
import { REPLICATION_ROLE, writableLeader } from "../member.ts";
import type { EffectContext } from "./effect.ts";
import { startAsStandby } from "./start.ts";

export async function clone(context: EffectContext): Promise<void> {
  const { member, record, decision, signal } = context;
  const leader = writableLeader(record);
  if (leader === null || record.systemId === null) return; // Nothing to copy yet; the record changes when there is.
  // What a copy left that was cut off has never been started, so nothing is lost with it.
  if (await isHalfMade(member)) await rm(member.paths.data, { recursive: true, force: true });
  const copied = await cloneDataDirectory({
    source: {
      host: leader.address.host,
      port: leader.address.port,
      user: REPLICATION_ROLE,
      password: member.secrets.replication,
    },
    dataDir: member.paths.data,
    stagingDir: member.paths.staging,
    tablespaceRoot: member.paths.tablespaces,
    label: `understudy ${member.name}`,
    slot: slotNameOf(member.name),
    expectedSystemId: record.systemId,
    onProgress: (progress) => member.progress(progress),
    signal,
  });
  member.event({
    event: "cloned",
    rule: decision.rule,
    message: `${member.name} copied ${leader.name}: ${copied.files} files, ${copied.bytes} bytes in ${copied.seconds.toFixed(1)} s${copied.manifestVerified ? ", every checksum of the manifest verified" : ""}.`,
    details: { ...copied },
  });
  await member.memory.rememberFollowed({
    timeline: copied.timeline,
    before: copied.timeline,
    switchPoint: copied.startLsn,
  });
  await startAsStandby(context, leader.address);
}
