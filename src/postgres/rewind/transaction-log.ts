// What pg_waldump prints, boiled down to what a person wants to know of WAL that gives way: how
// many transactions it committed, when, and what they touched. Pure: lines in, a summary out.

export interface CommitMark {
  readonly xid: number;
  /** RFC 3339 UTC, on the clock of the server that committed it. */
  readonly at: string;
}

export interface LostTransactions {
  readonly commits: number;
  readonly firstCommit: CommitMark | null;
  readonly lastCommit: CommitMark | null;
  /**
   * "tablespace/database/filenode" as WAL names them, by the number of records, most first. Their
   * names are in the catalog (pg_filenode_relation), which WAL does not have.
   */
  readonly relations: readonly { readonly relation: string; readonly records: number }[];
  /** There were more than those that are listed. */
  readonly moreRelations: boolean;
}

const RELATIONS_LISTED = 20;
/** Beyond this many no further ones are counted: memory stays bounded whatever the WAL holds. */
const RELATIONS_COUNTED = 10_000;

const COMMIT =
  /, tx:\s*(\d+), .* desc: COMMIT(?:_PREPARED (\d+):)? (\d{4}-\d\d-\d\d) ([\d:.]+) UTC/;
const RELATION = /\brel (\d+\/\d+\/\d+)\b/g;

export class TransactionLog {
  #commits = 0;
  #first: CommitMark | null = null;
  #last: CommitMark | null = null;
  readonly #relations = new Map<string, number>();
  #overflow = false;

  /** One line of pg_waldump, alike in 10 to 18; it must run with its time zone set to UTC. */
  take(line: string): void {
    const commit = COMMIT.exec(line);
    if (commit !== null) this.#takeCommit(commit);
    // One record may touch several blocks of one relation.
    const touched = new Set([...line.matchAll(RELATION)].map(([, relation = ""]) => relation));
    for (const relation of touched) this.#takeRelation(relation);
  }

  summary(): LostTransactions {
    const sorted = [...this.#relations].toSorted(([, one], [, other]) => other - one);
    return {
      commits: this.#commits,
      firstCommit: this.#first,
      lastCommit: this.#last,
      relations: sorted
        .slice(0, RELATIONS_LISTED)
        .map(([relation, records]) => ({ relation, records })),
      moreRelations: this.#overflow || sorted.length > RELATIONS_LISTED,
    };
  }

  #takeCommit([, xid = "", preparedXid, date = "", time = ""]: RegExpExecArray): void {
    const mark = { xid: Number(preparedXid ?? xid), at: `${date}T${time}Z` };
    this.#commits += 1;
    this.#first ??= mark;
    this.#last = mark;
  }

  #takeRelation(relation: string): void {
    const before = this.#relations.get(relation);
    if (before === undefined && this.#relations.size >= RELATIONS_COUNTED) this.#overflow = true;
    else this.#relations.set(relation, (before ?? 0) + 1);
  }
}
