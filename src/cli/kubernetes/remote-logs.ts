// What the containers of a cluster's members have written, as Kubernetes keeps it: the agents'
// lines and PostgreSQL's, in JSON.
import { createInterface } from "node:readline";
import { DATABASE_CONTAINER } from "../../kubernetes/objects/pod.ts";
import { podName } from "../../kubernetes/objects/names.ts";
import { readRecord, recordMember, type LocalCluster } from "../../local/cluster.ts";
import { inOrderOfTime, type LogLine } from "../../local/log-order.ts";
import type { KubernetesPlace } from "./read-object.ts";

export interface LogRequest {
  readonly member: string | null;
  readonly follow: boolean;
  readonly lines: number;
  readonly signal: AbortSignal;
}

/**
 * The newest lines of all members in the order of their time; with `follow` each member's as they
 * come.
 * @throws UnderstudyError MEMBER_NOT_FOUND, KUBERNETES_*.
 */
export async function* readLogs(
  { place, cluster }: { place: KubernetesPlace; cluster: LocalCluster },
  request: LogRequest,
): AsyncGenerator<LogLine, void> {
  const record = await readRecord(cluster);
  const { member: named } = request;
  if (named !== null) recordMember(record, named);
  const members = named === null ? Object.keys(record.members) : [named];
  if (request.follow) yield* together(members.map((member) => linesOf(place, { member, request })));
  else {
    const logs = members.map(async (member) => {
      const lines: LogLine[] = [];
      for await (const line of linesOf(place, { member, request })) lines.push(line);
      return lines;
    });
    yield* inOrderOfTime(await Promise.all(logs), "UTC");
  }
}

async function* linesOf(
  { api, namespace }: KubernetesPlace,
  of: { member: string; request: LogRequest },
): AsyncGenerator<LogLine> {
  const { member, request } = of;
  const { signal, lines, follow } = request;
  const place = { namespace, pod: podName(member), container: DATABASE_CONTAINER };
  const body = await api.podLog(place, { lines, follow }, { signal });
  const end = () => body.destroy();
  signal.addEventListener("abort", end, { once: true });
  // A log that ends in the middle, as its pod does, is at its end.
  body.once("error", end);
  try {
    for await (const text of createInterface({ input: body })) yield { member, text };
  } finally {
    signal.removeEventListener("abort", end);
    end();
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
