// `understudy events`: the decisions of a cluster, oldest first: when, who, what and why.
import type { Entry } from "../../agent/journal.ts";
import { paint, type Look } from "../output/look.ts";
import { harmless } from "../output/text.ts";

export function renderEvents(events: readonly Entry[], look: Look): string {
  if (events.length === 0) return "no events yet";
  const widest = Math.max(...events.map((event) => event.member.length));
  return events.map((event) => renderEvent(event, { look, memberWidth: widest })).join("\n");
}

/**
 * One line: "2026-11-22 12:18:02Z  demo-2  promoted: it took the lease of term 4"; a width of 0
 * leaves the member out.
 */
export function renderEvent(event: Entry, to: { look: Look; memberWidth: number }): string {
  const tone = event.level === "error" ? "bad" : event.level === "warning" ? "warn" : "plain";
  const time = `${event.at.slice(0, 10)} ${event.at.slice(11, 19)}Z`;
  const who = to.memberWidth === 0 ? [] : [event.member.padEnd(to.memberWidth)];
  return [
    paint(to.look, "dim", time),
    ...who,
    `${paint(to.look, tone, event.event)}: ${harmless(event.message)}`,
  ].join("  ");
}

/** An agent writes JSON lines, made readable here; PostgreSQL's own lines stay as they are. */
export function renderLogLine(text: string, look: Look): string {
  const entry = entryIn(text);
  return entry === null ? harmless(text) : renderEvent(entry, { look, memberWidth: 0 });
}

function entryIn(text: string): Entry | null {
  if (!text.startsWith('{"at":')) return null;
  try {
    const { at, event, message, level = "info" } = JSON.parse(text);
    const isEntry = [at, event, message].every((value) => typeof value === "string");
    return isEntry ? { at, member: "", event, message, level } : null;
  } catch {
    return null;
  }
}
