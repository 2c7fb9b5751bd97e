// A moment's number, as it stands above its line and before its words. Pure.
import { element, text } from "./shapes.ts";

export function badge(of: { number: number; xPx: number; yPx: number }): string {
  const { number, xPx, yPx } = of;
  return [
    element("circle", { cx: xPx, cy: yPx, r: 8, fill: "var(--ink)" }),
    text(`${number}`, { x: xPx, y: yPx + 3.6, "text-anchor": "middle", class: "badge" }),
  ].join("");
}
