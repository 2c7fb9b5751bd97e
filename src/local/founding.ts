// Makes the data of a new cluster beside the start of its agents: initdb takes longer than they
// take to load, so it begins before them and in this very process.
import { makeFirstData, takeFoundersTurn } from "../agent/founding.ts";
import { memberPaths } from "../agent/member-paths.ts";
import { UnderstudyError } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import type { UpMember } from "./await-streaming.ts";
import type { LocalCluster } from "./cluster.ts";
import type { Owner } from "./owner.ts";

export interface Founding {
  readonly founder: UpMember;
  /** Settles when initdb runs, or has nothing to do, or does not begin. Never fails. */
  readonly begun: Promise<void>;
  /** Fails as initdb did. The founder's agent does not try it, as long as this has not ended. */
  readonly made: Promise<void>;
  /** Cuts it off where it is not done; returns when nothing of it runs any more. */
  end(): Promise<void>;
}

/** Returns at once. */
export function beginFounding(
  cluster: LocalCluster,
  of: { record: ClusterRecord; owner: Owner | null; signal: AbortSignal },
): Founding {
  const { paths, file, secrets } = cluster;
  const { record, owner } = of;
  const founder = founderOf(record);
  const member = memberPaths(paths.root, founder.name);
  const cut = new AbortController();
  const signal = AbortSignal.any([of.signal, cut.signal]);
  const begun = Promise.withResolvers<void>();
  const locked = takeFoundersTurn(member, signal);
  const made = locked.then(async (lock) => {
    if (lock === null) return;
    const user = owner === null ? {} : { user: owner };
    const how = { signal, ...user, onBegin: begun.resolve };
    await makeFirstData({ paths: member, file, secrets }, how);
  });
  // It fails for whoever awaits it, which may be later or nobody.
  void made.catch(() => {}).then(begun.resolve);
  let ending: Promise<void> | null = null;
  const end = async () => {
    cut.abort(new UnderstudyError("INTERRUPTED", "the making of the data was cut off"));
    await made.catch(() => {});
    const lock = await locked.catch(() => null);
    lock?.[Symbol.dispose]();
  };
  return { founder, begun: begun.promise, made, end: () => (ending ??= end()) };
}

function founderOf(record: ClusterRecord): UpMember {
  const [name, member] =
    Object.entries(record.members).find(([each]) => each === record.heir) ?? [];
  if (name === undefined || member === undefined)
    throw new UnderstudyError("RECORD_CORRUPT", "the record of a new cluster names no founder");
  return { name, role: "primary", host: member.host, port: member.port };
}
