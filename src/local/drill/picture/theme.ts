// How the picture looks: one set of colours for light and one for dark surroundings, each with
// enough contrast to be read, and told apart by people who do not tell red from green.

export const THEME = `
  .drill { --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --panel: #f6f8fa;
    --m0: #0a69c7; --m1: #bc5b00; --m2: #7b3fc4; --m3: #0f7a6c; --m4: #a8326f;
    --bad: #c9252d; --good: #1a7f37; --on: #ffffff; }
  @media (prefers-color-scheme: dark) {
    .drill { --paper: #0d1117; --ink: #e6edf3; --soft: #9aa4af; --line: #30363d; --panel: #151b23;
      --m0: #5aa9ff; --m1: #f2994a; --m2: #bd93f9; --m3: #3fc7b4; --m4: #f472b6;
      --bad: #ff7b72; --good: #3fb950; --on: #0d1117; }
  }
  .drill text { font-family: ui-sans-serif, system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
    fill: var(--ink); font-size: 12px; font-variant-numeric: tabular-nums; }
  .drill .title { font-size: 21px; font-weight: 650; letter-spacing: -0.01em; }
  .drill .soft { fill: var(--soft); }
  .drill .label { fill: var(--soft); font-size: 11px; font-weight: 600; letter-spacing: 0.06em; }
  .drill .name { font-weight: 600; }
  .drill .on { fill: var(--on); font-size: 11px; font-weight: 600; }
  .drill .gap { fill: var(--bad); font-size: 26px; font-weight: 700; letter-spacing: -0.02em; }
  .drill .badge { font-size: 10px; font-weight: 700; fill: var(--paper); }
`;

/** Members beyond the last colour begin anew. */
const COLOURS = 5;

export function colourOf(members: readonly string[], member: string): string {
  return `var(--m${Math.max(0, members.indexOf(member)) % COLOURS})`;
}
