// What a person has changed in the record, told from how it was before and how it is now: for
// events, so that a person can read later why nothing failed over, or somebody else did. Pure.
import { CLUSTER_SCOPE } from "./config/cluster-keys.ts";
import type { ConfigScope } from "./config/key.ts";
import { memberScope } from "./config/member-keys.ts";
import { namesInOrder } from "./name-order.ts";
import type { Order } from "./protocol/orders.ts";
import { lastLeader, type ClusterRecord } from "./record.ts";

export interface RecordNews {
  readonly event: "paused" | "resumed" | "setting-changed";
  readonly rule: Order;
  /** One sentence. */
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** In the order in which it is told; several changes may have come in between. */
export function newsOf(before: ClusterRecord, now: ClusterRecord): readonly RecordNews[] {
  if (before === now) return [];
  const members = namesInOrder(Object.keys(now.members)).flatMap((name) => {
    const [was, is] = [before.members[name], now.members[name]];
    if (was === undefined || is === undefined) return [];
    return settingsNews(memberScope(name, is), { before, now, whose: name, member: name });
  });
  const whose = now.cluster;
  return [
    ...pauseNews(before, now),
    ...settingsNews(CLUSTER_SCOPE, { before, now, whose, member: null }),
    ...members,
  ];
}

/**
 * Who tells it, so that it is told once: who led before, and where that agent does not answer the
 * first of the others. What came after the change does not matter: not everybody sees each step.
 */
export function tellsNews(
  before: ClusterRecord,
  of: { readonly self: string; readonly leaderAnswers: boolean },
): boolean {
  const leader = lastLeader(before);
  if (leader === of.self) return true;
  if (leader !== null && of.leaderAnswers) return false;
  return namesInOrder(Object.keys(before.members)).find((name) => name !== leader) === of.self;
}

function pauseNews(before: ClusterRecord, now: ClusterRecord): RecordNews[] {
  if (before.paused === now.paused) return [];
  const { cluster, term } = now;
  const details = { term };
  return [
    now.paused
      ? {
          event: "paused",
          rule: "pause-on-request",
          message: `A person has paused ${cluster}: nothing fails over by itself.`,
          details,
        }
      : {
          event: "resumed",
          rule: "resume-on-request",
          message: `A person has ended the pause of ${cluster}: a standby takes over when its primary fails.`,
          details,
        },
  ];
}

function settingsNews<Part>(
  scope: ConfigScope<Part>,
  of: { before: ClusterRecord; now: ClusterRecord; whose: string; member: string | null },
): RecordNews[] {
  const { before, now, whose, member } = of;
  return scope.keys.flatMap((key): RecordNews[] => {
    const from = key.show(scope.get(before)).text;
    const to = key.show(scope.get(now)).text;
    if (from === to) return [];
    return [
      {
        event: "setting-changed",
        rule: "setting-on-request",
        message: `A person has set ${key.name} of ${whose} to ${to}; it was ${from}.`,
        details: { member, key: key.name, from, to },
      },
    ];
  });
}
