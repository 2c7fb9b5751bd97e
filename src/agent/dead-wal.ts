// The WAL of a member whose server is down, for one that is to lead in its place: from its disk
// where that can be read, else from its agent, as long as that answers. Both sides of the latter
// are here.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UnderstudyError } from "../core/errors.ts";
import { formatLsn, parseLsn, type Lsn } from "../core/lsn.ts";
import type { ClusterRecord } from "../core/record.ts";
import { refusalOfHalfMade, refusalOfLive } from "../postgres/wal-rescue/judge.ts";
import { beginFetched, fetchWal } from "../postgres/wal-rescue/fetched-wal.ts";
import type { WalPlace } from "../postgres/wal-rescue/outcome.ts";
import {
  readWalPiece,
  tellWal,
  type ToldWal,
  type WalPiece,
} from "../postgres/wal-rescue/told-wal.ts";
import type { MemberPaths } from "./member-paths.ts";
import { trustOf, type Member } from "./member.ts";
import type { Remembered } from "./memory.ts";
import { postToAgent } from "./peer.ts";

/** What an agent tells of its own. */
export interface ToldOfDead extends ToldWal {
  readonly memory: Remembered;
}

export interface AskedOfDead {
  /** A port may have changed hands. */
  readonly member: string;
  /** In which nobody leads. */
  readonly term: number;
}

export interface DeadWal {
  readonly disk: Pick<MemberPaths, "data" | "memory">;
  /** Where it ends, where only a part of that disk is here; the WAL itself comes by `fetch`. */
  readonly fetched?: WalPlace;
  /** Has what is lacking at hand. */
  readonly fetch: () => Promise<void>;
}

/** It answers what others ask at the same moment, and nobody writes meanwhile. */
const TELL_LIMIT_MS = 3_000;
const PIECE_LIMIT_MS = 3_000;
/** What is lacking is fetched for so long, and not waited for any longer. */
const FETCH_LIMIT_MS = 15_000;

/**
 * @param of.isAnswering whether its agent has answered a moment ago; one that has not is not asked
 * @param of.position which this member has come to
 * @returns null where its WAL is out of reach
 * @throws UnderstudyError as the agent that is asked does
 */
export async function deadWalOf(
  member: Member,
  of: {
    from: string;
    record: ClusterRecord;
    position: Lsn;
    isAnswering: boolean;
    signal: AbortSignal;
  },
): Promise<DeadWal | null> {
  const { from, record, position, isAnswering } = of;
  const disk = member.witness.diskOf(from);
  if (disk !== null) return { disk, fetch: async () => {} };
  const address = record.members[from];
  if (!isAnswering || address === undefined) return null;
  const asked: AskedOfDead = { member: from, term: record.term };
  const signal = AbortSignal.any([of.signal, AbortSignal.timeout(FETCH_LIMIT_MS)]);
  const post = (path: string, body: object, timeoutMs: number) => {
    const { secrets } = member;
    const trust = trustOf(member, from);
    const request = { path, body: { ...asked, ...body }, token: secrets.apiToken };
    return postToAgent(address, { ...request, trust, timeoutMs, signal });
  };
  const lsn = formatLsn(position);
  const told = (await post("/tell-wal", { lsn }, TELL_LIMIT_MS)) as ToldOfDead;
  const parts = fetchedPaths(member.paths);
  const into = { dataDir: parts.data, standbyDataDir: member.paths.data, position };
  const fetched = await beginFetched(told, into);
  await mkdir(dirname(parts.memory), { recursive: true, mode: 0o700 });
  await writeFile(parts.memory, JSON.stringify(told.memory), { mode: 0o600 });
  const read = async (piece: WalPiece) => {
    const answer = (await post("/read-wal", piece, PIECE_LIMIT_MS)) as { readonly wal: string };
    return Buffer.from(answer.wal, "base64");
  };
  return { disk: parts, fetched, fetch: () => fetchWal(told, { ...into, read }) };
}

/** Nothing else is kept there. */
export async function forgetFetched({ fetched }: Pick<MemberPaths, "fetched">): Promise<void> {
  await rm(fetched, { recursive: true, force: true });
}

function fetchedPaths({ fetched }: Pick<MemberPaths, "fetched">) {
  return { data: join(fetched, "data"), memory: join(fetched, "memory.json") };
}

/**
 * Of this member's own, for another that is to lead. It writes no more before somebody leads in a
 * newer term.
 * @throws UnderstudyError REFUSED where its server may still write, by its processes or by the
 * record, or its data are half made; DATA_UNREADABLE
 */
export async function tellDeadWal(
  member: Member,
  asked: AskedOfDead & { readonly lsn: string },
): Promise<ToldOfDead> {
  await requireDead(member, asked);
  const { followed, forks, term } = member.memory;
  const told = await tellWal(member.paths.data, {
    position: parseLsn(asked.lsn),
    signal: AbortSignal.timeout(TELL_LIMIT_MS),
  });
  return { ...told, memory: { followed, forks: [...forks], term } };
}

/** What was written does not change any more, whatever has become of the server since. */
export async function readDeadWal(
  member: Member,
  { member: name, term: _term, ...piece }: AskedOfDead & WalPiece,
): Promise<{ readonly wal: string }> {
  requireName(member, name);
  return { wal: (await readWalPiece(member.paths.data, piece)).toString("base64") };
}

async function requireDead(member: Member, { member: name, term }: AskedOfDead): Promise<void> {
  requireName(member, name);
  const { keeper, paths } = member;
  const isFree = () => keeper.record?.term === term && keeper.record.leader === null;
  if (!isFree()) await keeper.refresh();
  if (!isFree())
    throw new UnderstudyError(
      "REFUSED",
      `${name} tells nothing of its WAL: by what it knows it is not term ${term}, in which nobody leads`,
    );
  const unusable = refusalOfLive(paths.data) ?? (await refusalOfHalfMade(paths.data));
  if (unusable !== null) throw new UnderstudyError("REFUSED", unusable.message);
}

function requireName(member: Member, name: string): void {
  if (name === member.name) return;
  throw new UnderstudyError("REFUSED", `this is ${member.name} and not ${name}`);
}
