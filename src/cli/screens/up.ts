// `understudy up`: its steps while they happen and the block that a new user reads at the end. The
// view is plain data that each step changes; rendering it is pure.
import type { UpMember, UpStep } from "../../local/await-streaming.ts";
import { mark, paint, type Look, type Mark, type Tone } from "../output/look.ts";
import { padTo } from "../output/text.ts";
import { formatBytes, formatSeconds } from "../output/units.ts";
import { describeProgress } from "./progress.ts";

interface UpLine {
  readonly key: string;
  readonly state: "working" | "done" | "failed" | "note";
  /** The columns of the line. */
  readonly cells: readonly string[];
  /** Only of use while it is repainted: figures that change all the time. */
  readonly moving: string;
}

export type UpView = readonly UpLine[];

export const EMPTY_UP: UpView = [];

/** The view after one more step. */
export function advanceUp(view: UpView, step: UpStep): UpView {
  const line = lineOf(step);
  const known = view.findIndex((each) => each.key === line.key);
  return known === -1 ? [...view, line] : view.with(known, line);
}

/**
 * The lines of all steps. `live` shows what is at work and how far it is; otherwise a line comes
 * only when its step
 * has ended, so that each is printed once.
 */
export function renderUp(view: UpView, to: { look: Look; live: boolean }): string {
  const { look } = to;
  const shown = to.live ? view : view.filter((line) => line.state !== "working");
  const widths = [0, 1, 2].map((at) =>
    Math.max(0, ...view.map((line) => (line.cells.length < 4 ? 0 : (line.cells[at]?.length ?? 0)))),
  );
  return shown.map((line) => renderLine(line, { look, widths })).join("\n");
}

const SIGNS: Readonly<Record<UpLine["state"], { symbol: Mark | null; tone: Tone }>> = {
  working: { symbol: "half", tone: "warn" },
  done: { symbol: "check", tone: "good" },
  failed: { symbol: "cross", tone: "bad" },
  note: { symbol: null, tone: "warn" },
};

function lineOf(step: UpStep): UpLine {
  switch (step.kind) {
    case "postgres-wanted":
      return {
        key: "postgres",
        state: "working",
        cells: ["PostgreSQL"],
        moving: describeProgress(step.progress),
      };
    case "postgres-found": {
      const reason = step.reason === null ? "" : ` (${step.reason})`;
      const cells = [`PostgreSQL ${step.version}${reason}`, step.binDir];
      return { key: "postgres", state: "done", cells, moving: "" };
    }
    case "member-working":
      return memberLine(step.member, {
        state: "working",
        text: "",
        moving: describeProgress(step.progress),
      });
    case "member-ready":
      return memberLine(step.member, { state: "done", text: readyText(step), moving: "" });
    case "member-failed":
      return memberLine(step.member, { state: "failed", text: step.reason, moving: "" });
    case "note":
      return { key: `note ${step.text}`, state: "note", cells: [step.text], moving: "" };
  }
}

function memberLine(
  member: UpMember,
  rest: { state: UpLine["state"]; text: string; moving: string },
): UpLine {
  const place = `${member.host}:${member.port}`;
  return {
    key: `member ${member.name}`,
    state: rest.state,
    cells: [member.name, member.role, place, rest.text],
    moving: rest.moving,
  };
}

function readyText(step: Extract<UpStep, { kind: "member-ready" }>): string {
  const time = step.seconds === null ? null : formatSeconds(step.seconds);
  if (step.member.role === "primary") return time ?? "running";
  const behind = step.lagBytes === null ? "" : `, ${formatBytes(step.lagBytes)} behind`;
  return `streaming${behind}`;
}

function renderLine(line: UpLine, to: { look: Look; widths: readonly number[] }): string {
  const { symbol, tone } = SIGNS[line.state];
  const sign = paint(to.look, tone, symbol === null ? "!" : mark(to.look, symbol));
  if (line.cells.length < 4) return `${sign} ${[...line.cells, line.moving].join("   ").trimEnd()}`;
  const [name = "", role = "", place = "", text = ""] = line.cells.map((cell, at) =>
    padTo(cell, { width: to.widths[at] ?? 0, align: "left" }),
  );
  return `${sign} ${name}  ${role}    ${place}   ${line.moving === "" ? text : line.moving}`.trimEnd();
}
