// The foot of a page: where applications connect and what to do next. A connection string that is
// too long for the terminal is shortened to its first host: it has no password anyway, and
// `understudy url` prints the complete one.
import { dot, paint, type Look } from "../output/look.ts";
import { displayWidth, wrap } from "../output/text.ts";

export interface Footer {
  readonly endpoints: { readonly write: string; readonly read: string };
  /** "understudy", or "npx understudy" where it was called so. */
  readonly program: string;
  /** Commands, without the program's name. */
  readonly next: readonly string[];
}

export function renderFooter(footer: Footer, look: Look): string {
  const write = shortened(footer.endpoints.write, look);
  const read = shortened(footer.endpoints.read, look);
  const longest = Math.max(displayWidth(write), displayWidth(read));
  // Eighty columns hold a shortened string only without the indent, and with a port of five digits
  // only just.
  const room = look.width === null ? Infinity : look.width - longest;
  const indent = room < 9 ? "" : "  ";
  const gap = room < 7 ? "" : " ";
  const next = `${footer.program} ${footer.next.join(` ${dot(look)} `)}`;
  return [
    `${indent}${paint(look, "dim", "write")} ${gap}${write}`,
    `${indent}${paint(look, "dim", "read")}  ${gap}${read}`,
    wrap(`${indent}${paint(look, "dim", "next")}  ${gap}${next}`, {
      width: look.width,
      indent: `${indent}${gap}      `,
    }),
  ].join("\n");
}

function shortened(url: string, look: Look): string {
  if (look.width === null || displayWidth(url) + 9 <= look.width) return url;
  const ellipsis = look.unicode ? "…" : "...";
  const first = url.replace(/(@[^,/]*),[^/]*\//, `$1,${ellipsis}/`);
  return displayWidth(first) + 6 <= look.width ? first : url.replace(/@[^/]*\//, `@${ellipsis}/`);
}
