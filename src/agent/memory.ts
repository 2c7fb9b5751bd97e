// What a member must not forget when its agent restarts: the newest term it has known, and whom it
// was last proven to follow.
import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { forkSchema, withFork, type Fork } from "../core/fork.ts";
import { formatLsn, parseLsn, type Lsn } from "../core/lsn.ts";
import { writeWhole } from "../postgres/write-whole.ts";

const memorySchema = v.object({
  term: v.number(),
  /**
   * The timeline that this member's WAL was proven to lead into, and where that left the one it was
   * on before: beyond `switchPoint` its WAL is of `timeline`, up to it of `before`.
   */
  followed: v.nullable(
    v.object({
      /** Whom. */
      leader: v.string(),
      timeline: v.number(),
      before: v.number(),
      switchPoint: v.string(),
    }),
  ),
  /** Which term began which timeline of its history, oldest first. */
  forks: v.array(forkSchema),
});

export type Remembered = v.InferOutput<typeof memorySchema>;

const NOTHING: Remembered = { term: 0, followed: null, forks: [] };

export class MemberMemory {
  readonly #save: (remembered: Remembered) => Promise<void>;
  #remembered: Remembered;
  #saving: Promise<void> = Promise.resolve();

  /** @param options.save keeps it for good, whole or not at all */
  constructor(options: {
    remembered?: Remembered;
    save: (remembered: Remembered) => Promise<void>;
  }) {
    this.#save = options.save;
    this.#remembered = options.remembered ?? NOTHING;
  }

  /** A lost or torn memory is no harm: everything is then proven anew from the data directory. */
  static async load(path: string): Promise<MemberMemory> {
    const text = await readFile(path, "utf8").catch(() => "null");
    const parsed = v.safeParse(memorySchema, parseOrNull(text));
    return new MemberMemory({
      remembered: parsed.success ? parsed.output : NOTHING,
      save: (remembered) => writeWhole(path, `${JSON.stringify(remembered)}\n`),
    });
  }

  get term(): number {
    return this.#remembered.term;
  }

  get forks(): readonly Fork[] {
    return this.#remembered.forks;
  }

  get followed(): Remembered["followed"] {
    return this.#remembered.followed;
  }

  /**
   * The timeline of a position that this member's WAL has reached, or null when that was not
   * proven.
   */
  timelineAt(position: Lsn): number | null {
    const { followed } = this;
    if (followed === null) return null;
    return position > parseLsn(followed.switchPoint) ? followed.timeline : followed.before;
  }

  async rememberTerm(term: number): Promise<void> {
    if (term > this.#remembered.term) await this.#change({ term });
  }

  /** Both in one: whom it follows, and which forks its WAL then leads through. */
  async rememberPath(path: Pick<Remembered, "followed" | "forks">): Promise<void> {
    await this.#change(path);
  }

  /**
   * That this member is about to begin a timeline, before PostgreSQL is asked to. A disk that is
   * full by then, or an end of the agent, would leave WAL of which nobody knows in whose term it
   * was written, and the cluster would take it for older than it is. Where PostgreSQL chooses a
   * higher number the term is right all the same (termOfTimeline); where nothing is begun the WAL
   * does not get beyond `lsn`, and this says nothing of it. Timelines that it was to follow onto
   * and never reached are forgotten: PostgreSQL gives their numbers once more.
   * @param beginning.timeline on which its WAL ends @param beginning.lsn where
   */
  async rememberBeginning(beginning: {
    readonly leader: string;
    readonly term: number;
    readonly timeline: number;
    readonly lsn: Lsn;
  }): Promise<void> {
    const { leader, term, timeline: before, lsn } = beginning;
    const newest = this.forks.at(-1);
    const isNoted = newest?.term === term && newest.timeline > before;
    const timeline = isNoted ? newest.timeline : before + 1;
    const forks = isNoted ? [...this.forks] : withFork(this.forks, { timeline, term });
    const followed = { leader, timeline, before, switchPoint: formatLsn(lsn) };
    if (isNoted && JSON.stringify(followed) === JSON.stringify(this.followed)) return;
    await this.#change({ term: Math.max(term, this.term), followed, forks });
  }

  /** One after the other: the loop and an effect may both have something to remember. */
  #change(change: Partial<Remembered>): Promise<void> {
    const saved = this.#saving.then(async () => {
      const remembered = { ...this.#remembered, ...change };
      // Two may have asked for the same before the first was done, and each write is synced.
      if (JSON.stringify(remembered) === JSON.stringify(this.#remembered)) return;
      await this.#save(remembered);
      this.#remembered = remembered;
    });
    this.#saving = saved.catch(() => {});
    return saved;
  }
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
