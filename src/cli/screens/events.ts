// `understudy events`: the decisions of a cluster, oldest first: when, who, what and why.
import type { Entry } from "../../agent/journal.ts";
import { paint, type Look } from "../output/look.ts";
import { displayWidth, harmless, wrap } from "../output/text.ts";

/**
 * On a terminal lines are broken where it ends, and a choice of a primary tells of each member;
 * anywhere else every event is one line.
 */
export function renderEvents(events: readonly Entry[], look: Look): string {
  if (events.length === 0) return "no events yet";
  const widest = Math.max(...events.map((event) => event.member.length));
  return events
    .flatMap((event) => [
      wrap(renderEvent(event, { look, memberWidth: widest }), {
        width: look.width,
        indent: INDENT,
      }),
      ...(look.width === null ? [] : membersIn(event).map((text) => memberLine(text, look))),
    ])
    .join("\n");
}

const INDENT = "    ";

function memberLine(text: string, look: Look): string {
  const line = wrap(`${INDENT}${text}`, { width: look.width, indent: `${INDENT}  ` });
  return paint(look, "dim", line);
}

/** How far each member was, and why it was not the one: see membersAtChoice. */
function membersIn({ details }: Entry): string[] {
  const members: unknown = details?.["members"];
  if (!Array.isArray(members)) return [];
  return members.flatMap((member: unknown) => {
    if (typeof member !== "object" || member === null) return [];
    const of = member as Readonly<Record<string, unknown>>;
    const { name, state, lsn, lsnIsLeast, timeline, chosen, why } = of;
    if (typeof name !== "string") return [];
    const least = lsnIsLeast === true ? "at least " : "";
    const place =
      typeof lsn === "string"
        ? `${least}${lsn} on timeline ${String(timeline)}`
        : "position unknown";
    const reason = chosen === true ? "chosen" : `not chosen: ${String(why)}`;
    return [harmless(`${name} (${String(state)}): ${place}; ${reason}`)];
  });
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
    `${paint(to.look, tone, event.event)}: ${harmless(event.message)}${ruleOf(event, to.look)}`,
  ].join("  ");
}

/** What to ask `understudy explain` for. */
function ruleOf({ rule }: Entry, look: Look): string {
  return rule === undefined ? "" : ` ${paint(look, "dim", `[${harmless(rule)}]`)}`;
}

/**
 * An agent writes JSON lines, made readable here; PostgreSQL's own lines stay as they are.
 * @param line.member is put before it; null where all lines are of one
 */
export function renderLogLine(line: { text: string; member: string | null }, look: Look): string {
  const entry = entryIn(line.text);
  const text = entry === null ? harmless(line.text) : renderEvent(entry, { look, memberWidth: 0 });
  const before = line.member === null ? "" : `${paint(look, "dim", line.member)}  `;
  const indent = " ".repeat(displayWidth(before) + 2);
  return wrap(`${before}${text}`, { width: look.width, indent });
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
