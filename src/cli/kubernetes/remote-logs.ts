// What the containers of a cluster's members have written, as Kubernetes keeps it: the agents'
// lines and PostgreSQL's, in JSON.
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { DATABASE_CONTAINER } from "../../kubernetes/objects/pod.ts";
import { messageOf } from "../../core/errors.ts";
import { podName } from "../../kubernetes/objects/names.ts";
import { readRecord, recordMember, type LocalCluster } from "../../local/cluster.ts";
import { inOrderOfTime, type LogLine } from "../../local/log-order.ts";
import type { KubernetesPlace } from "./read-object.ts";

export interface LogRequest {
  readonly member: string | null;
  readonly follow: boolean;
  readonly lines: number;
  /** Then it ends, at whatever it is. */
  readonly signal: AbortSignal;
}

export interface LogSource {
  readonly place: KubernetesPlace;
  readonly cluster: LocalCluster;
  /** For people: what is not among the lines, and why. */
  readonly note: (text: string) => void;
}

/**
 * The newest lines of all members in the order of their time; with `follow` each member's as they
 * come. Of several members those that can be had.
 * @throws UnderstudyError MEMBER_NOT_FOUND; KUBERNETES_* where there is no log at all.
 */
export async function* readLogs(
  source: LogSource,
  request: LogRequest,
): AsyncGenerator<LogLine, void> {
  const record = await readRecord(source.cluster);
  const { member: named, follow, lines } = request;
  if (named !== null) recordMember(record, named);
  const members = named === null ? Object.keys(record.members) : [named];
  const ending = new AbortController();
  const signal = AbortSignal.any([request.signal, ending.signal]);
  const wish = { follow, lines, signal, isOnly: members.length === 1 };
  const logs = members.map((member) => new MemberLog(source, { ...wish, member }));
  try {
    if (follow) yield* together(logs.map((log) => log.lines()));
    else yield* inOrderOfTime(await Promise.all(logs.map((log) => log.all())), "UTC");
  } finally {
    // Also where the reader goes away.
    ending.abort();
  }
  const [first] = logs;
  if (first !== undefined && logs.every(({ trouble }) => trouble !== null)) throw first.trouble;
}

interface LogWish extends LogRequest {
  readonly member: string;
  /** Then its trouble is that of the whole. */
  readonly isOnly: boolean;
}

/** What one member's container has written. */
class MemberLog {
  readonly #source: LogSource;
  readonly #of: LogWish;
  /** Why there is no log of it. */
  trouble: unknown = null;

  constructor(source: LogSource, of: LogWish) {
    this.#source = source;
    this.#of = of;
  }

  async all(): Promise<LogLine[]> {
    const lines: LogLine[] = [];
    for await (const line of this.lines()) lines.push(line);
    return lines;
  }

  /** It ends where the log does, or is cut; never by an error. */
  async *lines(): AsyncGenerator<LogLine> {
    const { member, signal } = this.#of;
    const body = await this.#open();
    if (body === null) return;
    const end = () => body.destroy();
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
    const texts = createInterface({ input: body });
    // Of a stream that is destroyed it is not told by itself.
    body.once("close", () => texts.close());
    try {
      for await (const text of texts) yield { member, text };
    } catch (thrown) {
      // As when its pod, or the node below it, goes away.
      if (!signal.aborted)
        this.#source.note(`the log of ${member} ends in the middle: ${messageOf(thrown)}`);
    } finally {
      signal.removeEventListener("abort", end);
      end();
    }
  }

  async #open(): Promise<Readable | null> {
    const { member, signal, lines, follow } = this.#of;
    const { api, namespace } = this.#source.place;
    const pod = { namespace, pod: podName(member), container: DATABASE_CONTAINER };
    try {
      return await api.podLog(pod, { lines, follow }, { signal });
    } catch (thrown) {
      if (signal.aborted) return null;
      this.trouble = thrown;
      if (!this.#of.isOnly)
        this.#source.note(`the log of ${member} cannot be read: ${messageOf(thrown)}`);
      return null;
    }
  }
}

/** Whoever has a line next comes next; it ends when all have. */
async function* together(sources: readonly AsyncGenerator<LogLine>[]): AsyncIterable<LogLine> {
  const open = new Map(sources.map((source) => [source, nextOf(source)]));
  while (open.size > 0) {
    const { source, result } = await Promise.race(open.values());
    if (result.done === true) open.delete(source);
    else {
      open.set(source, nextOf(source));
      yield result.value;
    }
  }
}

async function nextOf(source: AsyncGenerator<LogLine>) {
  return { source, result: await source.next() };
}
