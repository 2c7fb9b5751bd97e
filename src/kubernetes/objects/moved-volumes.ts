// Whether a changed specification would have a member look for its data where it is not: on another
// claim its server would be a new one, and the next one would be made so too. Pure.
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { memberVolumes, type MountedClaim } from "./volumes.ts";

/** One sentence with its remedy for each volume of a member that is in both. */
export function objectionsToMoves(from: PostgresCluster, of: { to: PostgresCluster }): string[] {
  const wanted = new Map(memberVolumes(of.to).map((volumes) => [volumes.member, volumes]));
  const objections: string[] = [];
  for (const { member, data, wal } of memberVolumes(from)) {
    const volumes = wanted.get(member);
    if (volumes === undefined) continue;
    const [here, there] = [placeOf(data), placeOf(volumes.data)];
    if (here !== there) objections.push(sentence(`the data of ${member}`, { here, there }));
    const [walHere, walThere] = [placeOf(wal), placeOf(volumes.wal)];
    if (walHere !== walThere)
      objections.push(sentence(`the WAL of ${member}`, { here: walHere, there: walThere }));
  }
  return objections;
}

function sentence(what: string, { here, there }: { here: string; there: string }): string {
  return `spec: ${what} is ${here} and not ${there}; say that again, or remove the member (standbys) and then add it with another volume`;
}

function placeOf(place: MountedClaim | null): string {
  if (place === null) return "with its data";
  const { claim, subPath } = place;
  return subPath === "" ? `in the claim ${claim}` : `in ${subPath} in the claim ${claim}`;
}
