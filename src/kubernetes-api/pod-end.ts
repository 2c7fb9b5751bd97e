// What the Kubernetes API proves of a container: whether the processes of one run of it are gone. A
// node that is not ready is no proof, nor is a pod that was deleted, or that somebody calls failed:
// only that a kubelet has seen this very run end.
import type { KubernetesObject } from "./resource.ts";

export interface PodObject extends KubernetesObject {
  readonly status?: { readonly containerStatuses?: readonly ContainerStatus[] };
}

export interface ContainerStatus {
  readonly name: string;
  /** Of the present run. */
  readonly state?: ContainerState;
  /** Of the one before it. */
  readonly lastState?: ContainerState;
}

export interface ContainerState {
  readonly running?: object;
  readonly waiting?: { readonly reason?: string };
  readonly terminated?: {
    readonly reason?: string;
    readonly containerID?: string;
    /** What that run had written to its termination log. */
    readonly message?: string;
  };
}

/**
 * One run of a container. Its agent writes the first line of the termination log before anything
 * else, so that what a kubelet tells of an end says by itself whose end it was: statuses are told
 * late, and the run that is told of may be the one before the one that leads now.
 */
export interface ContainerRun {
  readonly container: string;
  /** Made anew, at random, by each agent that starts. */
  readonly session: string;
}

/**
 * With these the container runtime has seen the end of the container's first process, and the
 * kernel ends a PID namespace whole: none of its processes is left. "ContainerStatusUnknown" and
 * "Unknown" are what kubelets and runtimes write where they have not found the container.
 */
const SEEN_TO_END = new Set(["Completed", "Error", "OOMKilled"]);

const WORDS_LIMIT_BYTES = 2_000;

/** What an agent writes to its termination log. */
export function terminationLine(session: string): string {
  return `understudy session ${session}`;
}

/**
 * What an agent writes below that line when it ends by an error: for people, and never so long that
 * the line is lost, because a kubelet tells only the last 4,096 bytes of the file.
 */
export function terminationWords(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= WORDS_LIMIT_BYTES) return `${text}\n`;
  // No character is cut in two.
  const cut = new TextDecoder().decode(bytes.subarray(0, WORDS_LIMIT_BYTES), { stream: true });
  return `${cut}…\n`;
}

/**
 * Whether no process of this run lives any more, now and for ever.
 * @param pod null: there is none of that name, which proves nothing: one that was deleted with
 * `--force`, or whose node is cut off, goes on.
 */
export function hasEnded(pod: PodObject | null, run: ContainerRun): boolean {
  const status = pod?.status?.containerStatuses?.find(({ name }) => name === run.container);
  return [status?.state?.terminated, status?.lastState?.terminated].some(
    (terminated) => terminated !== undefined && isEndOf(run, terminated),
  );
}

function isEndOf(
  { session }: ContainerRun,
  terminated: NonNullable<ContainerState["terminated"]>,
): boolean {
  const { reason = "", containerID = "", message = "" } = terminated;
  const [line] = message.split("\n");
  return SEEN_TO_END.has(reason) && containerID !== "" && line === terminationLine(session);
}
