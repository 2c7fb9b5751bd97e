// `status --watch`: the page painted again in place on a terminal, or one block after another
// anywhere else. It ends with q, Ctrl-C, or when nobody reads any more.
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../core/errors.ts";
import { asUnderstudyError, renderError } from "./output/error-text.ts";
import { FullScreen } from "./output/live-view.ts";
import { dot, isLive, paint } from "./output/look.ts";
import { cutTo } from "./output/text.ts";
import { formatSeconds } from "./output/units.ts";
import { renderStatus } from "./screens/status.ts";
import type { Session } from "./session.ts";

/** In raw mode the terminal sends Ctrl-C and Ctrl-D as characters. */
const QUIT_KEYS = ["q", "Q", "\u0003", "\u0004"] as const;

/** @throws UnderstudyError CLUSTER_NOT_FOUND at once; later mistakes are shown and tried again. */
export async function watchStatus(
  session: Session,
  of: { everyMs: number; named: string | undefined },
): Promise<void> {
  const { everyMs } = of;
  const opened = await session.cluster(of.named);
  const { context } = session;
  const quit = new AbortController();
  const stop = AbortSignal.any([context.signal, context.outputClosed, quit.signal]);
  const paintedOver = session.forPeople && isLive(context.stdout, context.env);
  const block = paintedOver ? new FullScreen(context.stdout) : null;
  const releaseKeys = block === null ? () => {} : onQuitKey(session, () => quit.abort());
  let page = "";
  try {
    while (!stop.aborted) {
      page = await pageOf(session, { ...opened, everyMs });
      if (stop.aborted) break;
      if (block === null) session.print(page);
      else block.paint(fitted(page, session));
      await delay(everyMs, undefined, { signal: stop }).catch(() => {});
    }
  } finally {
    releaseKeys();
    block?.end(page.trimEnd());
  }
}

async function pageOf(
  session: Session,
  facts: Awaited<ReturnType<Session["cluster"]>> & { everyMs: number },
): Promise<string> {
  const { local, cluster, everyMs } = facts;
  const { out: look, context } = session;
  const at = new Date().toISOString();
  try {
    const status = await local.readClusterStatus(cluster, context.signal);
    if (session.format === "json") return `${JSON.stringify({ at, ...status })}\n`;
    if (session.format === "yaml") {
      const { stringify } = await import("yaml");
      return `---\n${stringify({ at, ...status })}`;
    }
    const wide = session.format === "wide";
    const text = renderStatus(status, {
      look,
      wide,
      program: session.program,
      isOnKubernetes: session.isOnKubernetes,
    });
    const live = isLive(context.stdout, context.env);
    const clock = `${at.slice(11, 19)}Z`;
    const foot = live
      ? `${clock} ${dot(look)} every ${formatSeconds(everyMs / 1000)} ${dot(look)} q quits`
      : clock;
    return live ? `${text}\n${paint(look, "dim", foot)}` : `${foot}\n${text}\n\n`;
  } catch (thrown) {
    const error = asUnderstudyError(thrown);
    if (error.code === "INTERRUPTED" || error.code === "INTERNAL") throw error;
    const text = renderError(error, { format: session.format, look, debug: false });
    return `${at.slice(11, 19)}Z\n${text}`;
  }
}

/** No more lines than the terminal has: what is scrolled away cannot be painted over. */
function fitted(page: string, session: Session): string {
  const { rows = 24, columns = 80 } = session.context.stdout;
  const lines = page.trimEnd().split("\n");
  const room = rows - 1;
  if (lines.length <= room) return lines.join("\n");
  const foot = lines.at(-1) ?? "";
  const kept = lines.slice(0, room - 2);
  const left = lines.length - room + 1;
  return [...kept, cutTo(`  ${left} more lines: understudy status`, columns), foot].join("\n");
}

/** @returns how to give the keyboard back. */
function onQuitKey(session: Session, quit: () => void): () => void {
  const { stdin } = session.context;
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) return () => {};
  const onData = (chunk: Buffer | string) => {
    if (QUIT_KEYS.some((key) => String(chunk).includes(key))) quit();
  };
  stdin.setRawMode(true);
  stdin.on("data", onData);
  stdin.resume();
  return () => {
    stdin.off("data", onData);
    stdin.setRawMode?.(false);
    stdin.pause();
  };
}

/** Seconds as typed must be bearable for the agents that are asked. */
export function checkInterval(everyMs: number): number {
  if (everyMs >= 100) return everyMs;
  throw new UnderstudyError("USAGE", "--watch takes 0.1 seconds or more");
}
