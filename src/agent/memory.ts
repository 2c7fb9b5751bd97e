// What a member must not forget when its agent restarts: the newest term it has known, and whom it
// was last proven to follow.
import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { forkSchema, type Fork } from "../core/fork.ts";
import { parseLsn, type Lsn } from "../core/lsn.ts";
import { writeWhole } from "./cluster-file.ts";

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

  /** One after the other: the loop and an effect may both have something to remember. */
  #change(change: Partial<Remembered>): Promise<void> {
    const saved = this.#saving.then(async () => {
      const remembered = { ...this.#remembered, ...change };
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
