// Copies the primary, or the standby that this member is to stream from, because it has no data or
// only half a copy.
import { rm } from "node:fs/promises";
import { codeOf } from "../../core/errors.ts";
import { slotNameOf } from "../../core/name.ts";
import { beginCopy } from "../../core/record-changes.ts";
import { cloneDataDirectory } from "../../postgres/base-backup/clone.ts";
import { firstStartArguments } from "../../postgres/base-backup/first-start.ts";
import { readMarker, removeMarker } from "../../postgres/base-backup/marker.ts";
import { isHalfMade } from "../ground.ts";
import { loginOf, upstreamAt, writableLeader, type Leader, type Member } from "../member.ts";
import type { EffectContext } from "./effect.ts";
import { keepData, removeCopiesAside } from "./data-aside.ts";
import { prepareSettings, startAsStandby } from "./start.ts";
import { chooseSource, type Source } from "./supply.ts";

export async function clone(context: EffectContext): Promise<void> {
  const { member, record, decision, signal } = context;
  const leader = writableLeader(record);
  // Nothing to copy yet; the record changes when there is.
  if (leader === null || record.systemId === null) return;
  // What this member had confirmed is not certain to be on it from now on.
  await member.keeper.change((current) => beginCopy(current, member.name));
  if (await isHalfMade(member)) await clearHalfMade(member, signal);
  const source = await sourceOfCopy(context, leader);
  const settings = prepareSettings(context, { upstream: upstreamAt(source), asPrimary: false });
  const copied = await cloneDataDirectory({
    source: loginOf(member, source),
    dataDir: member.paths.data,
    stagingDir: member.paths.staging,
    tablespaceRoot: member.paths.tablespaces,
    label: `understudy ${member.name}`,
    slot: slotNameOf(member.name),
    expectedSystemId: record.systemId,
    onProgress: (progress) => member.progress(progress),
    signal,
  }).catch((thrown: unknown) => {
    if (source.name !== leader.name) member.supply.uncopied = source.name;
    throw thrown;
  });
  member.event({
    event: "cloned",
    rule: decision.rule,
    message: `${member.name} copied ${source.name}: ${copied.files} files, ${copied.bytes} bytes in ${copied.seconds.toFixed(1)} s${copied.manifestVerified ? ", every checksum of the manifest verified" : ""}.`,
    details: { ...copied },
  });
  const { timeline } = copied;
  await member.memory.rememberPath({
    followed: { leader: leader.name, timeline, before: timeline, switchPoint: copied.startLsn },
    forks: record.forks,
  });
  await settings;
  await startAsStandby(context, upstreamAt(source), {
    arguments: await firstStartArguments(member.file().installation.major),
  });
  await removeCopiesAside(member, record.term);
}

/**
 * The standby that it is to stream from, where that one streams itself: so the primary has no work
 * by it. Where that did not come to its end the primary is copied.
 */
async function sourceOfCopy(context: EffectContext, leader: Leader): Promise<Source> {
  const { supply } = context.member;
  const source = await chooseSource(context, { leader, isStreaming: false });
  const isToBeTried = source.name !== supply.uncopied;
  supply.uncopied = null;
  return isToBeTried ? source : leader;
}

/** What a copy left that was cut off has never been started, so nothing is lost with it. */
async function clearHalfMade(member: Member, signal: AbortSignal): Promise<void> {
  const { data, kept: keptRoot } = member.paths;
  // A pg_rewind that outlived its agent still writes there.
  await member.server.killOrphans(signal);
  const marker = await readMarker(data).catch(() => null);
  if (marker?.operation === "rewind")
    member.event({
      event: "rewind-unfinished",
      level: "warning",
      message: `A rewind of ${member.name} did not come to its end: what is left of its data is worthless and is removed, and the primary is copied anew. The WAL that only it had is kept in ${keptRoot}.`,
    });
  if (marker !== null) return rm(data, { recursive: true, force: true });
  // A marker is written whole or not at all: this one was damaged, and does not tell what there was
  // before.
  const kept = await keepData(member).catch((thrown: unknown) => {
    if (codeOf(thrown) === "ENOENT") return null;
    throw thrown;
  });
  await removeMarker(data);
  member.event({
    event: "marker-damaged",
    level: "warning",
    message: `The marker of ${member.name}'s half-made data cannot be read; it is copied anew${kept === null ? "" : `, what was there is kept in ${kept}`}.`,
  });
}
