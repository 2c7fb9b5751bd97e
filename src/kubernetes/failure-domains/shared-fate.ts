// Which members would be lost together: what two of them share below their data. Refused unless
// that is accepted, and then told for as long as it is so.
import { DOMAIN_KINDS, domainOfNode, domainsOfMount, domainsOfVolume } from "./volume-domains.ts";
import type { Domain, MountSeen, PersistentVolume } from "./volume-domains.ts";

export interface MemberPlace {
  readonly member: string;
  /** Null: its pod is on none yet. */
  readonly node: string | null;
  /** Behind its claims; empty where they are not bound. */
  readonly volumes: readonly PersistentVolume[];
  /** As its agent sees them; empty where it does not answer. */
  readonly mounts: readonly MountSeen[];
}

export interface SharedFate {
  readonly domain: Domain;
  /** Two or more, in the order of their names. */
  readonly members: readonly string[];
  /** One sentence. */
  readonly message: string;
}

export type Verdict =
  | { readonly kind: "apart" }
  | { readonly kind: "accepted"; readonly warnings: readonly string[] }
  | { readonly kind: "refused"; readonly reasons: readonly string[] }
  /** Nothing was found, and not of all members everything is known. */
  | { readonly kind: "unknown"; readonly members: readonly string[] };

/** The most specific thing that the same members share, and nothing twice. */
export function sharedFates(places: readonly MemberPlace[]): SharedFate[] {
  const found: SharedFate[] = [];
  for (const kind of DOMAIN_KINDS) {
    for (const { domain, members } of groupsOf(kind, places)) {
      const isTold = found.some((each) => members.every((name) => each.members.includes(name)));
      if (!isTold) found.push({ domain, members, message: messageOf(domain, members) });
    }
  }
  return found;
}

export function judge(
  places: readonly MemberPlace[],
  { acceptSharedFate }: { acceptSharedFate: boolean },
): Verdict {
  const messages = sharedFates(places).map(({ message }) => message);
  if (messages.length > 0)
    return acceptSharedFate
      ? { kind: "accepted", warnings: messages }
      : { kind: "refused", reasons: messages };
  // Who is alone shares nothing.
  const untold = places.filter(({ node, volumes }) => node === null || volumes.length === 0);
  if (places.length < 2 || untold.length === 0) return { kind: "apart" };
  return { kind: "unknown", members: untold.map(({ member }) => member) };
}

function groupsOf(
  kind: Domain["kind"],
  places: readonly MemberPlace[],
): { domain: Domain; members: string[] }[] {
  const groups = new Map<string, { domain: Domain; members: Set<string> }>();
  for (const place of places)
    for (const domain of domainsOf(place).filter((each) => each.kind === kind)) {
      const group = groups.get(domain.id) ?? { domain, members: new Set() };
      group.members.add(place.member);
      groups.set(domain.id, group);
    }
  return [...groups.values()]
    .filter(({ members }) => members.size > 1)
    .map(({ domain, members }) => ({ domain, members: [...members].toSorted() }));
}

function domainsOf({ node, volumes, mounts }: MemberPlace): Domain[] {
  return [
    ...volumes.flatMap((volume) => domainsOfVolume(volume, node)),
    ...(node === null ? [] : mounts.flatMap((mount) => domainsOfMount(mount, node))),
    ...(node === null ? [] : [domainOfNode(node)]),
  ];
}

function messageOf(domain: Domain, members: readonly string[]): string {
  const together = `${members.slice(0, -1).join(", ")} and ${members.at(-1)}`;
  const how = domain.kind === "node" ? "run on" : "have their data on";
  return `${together} ${how} ${domain.told}: when that fails, none of them is left`;
}
