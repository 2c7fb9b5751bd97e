// The few words of SVG that the picture of a drill is made of. Pure.

export type Attributes = Readonly<Record<string, string | number>>;

/** Children are SVG already; text goes through `escaped`. */
export function element(
  name: string,
  attributes: Attributes,
  children: readonly string[] = [],
): string {
  const written = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escaped(typeof value === "number" ? tidy(value) : value)}"`)
    .join("");
  if (children.length === 0) return `<${name}${written}/>`;
  return `<${name}${written}>${children.join("")}</${name}>`;
}

export function text(content: string, attributes: Attributes): string {
  return element("text", attributes, [escaped(content)]);
}

/** Control characters are no XML at all, escaped or not. */
export function escaped(content: string): string {
  return content
    .replaceAll(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** About: fonts differ, and nothing rests on it but what fits. */
export function widthOf(content: string, sizePx: number): number {
  return [...content].length * sizePx * 0.56;
}

/** Cut to about so many pixels, at a word where there is one. */
export function fitted(content: string, to: { widthPx: number; sizePx: number }): string {
  if (widthOf(content, to.sizePx) <= to.widthPx) return content;
  const room = Math.max(1, Math.floor(to.widthPx / (to.sizePx * 0.56)) - 1);
  const cut = [...content].slice(0, room).join("");
  return `${cut.replace(/\s+\S*$/, "")}…`;
}

/** A hundredth of a pixel is nothing that anybody sees. */
function tidy(value: number): string {
  return String(Math.round(value * 100) / 100);
}
