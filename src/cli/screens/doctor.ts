// `understudy doctor`: what was looked for, what was found, and what is missing, each with its
// remedy.
import type { Finding, FindingGroup } from "../../local/doctor.ts";
import { mark, paint, type Look, type Mark, type Tone } from "../output/look.ts";
import { displayWidth, padTo, wrap } from "../output/text.ts";

const SIGNS: Readonly<Record<Finding["verdict"], { symbol: Mark; tone: Tone }>> = {
  good: { symbol: "check", tone: "good" },
  warn: { symbol: "half", tone: "warn" },
  bad: { symbol: "cross", tone: "bad" },
};

export function renderDoctor(groups: readonly FindingGroup[], look: Look): string {
  const all = groups.flatMap((group) => group.findings);
  const widest = Math.max(0, ...all.map((finding) => displayWidth(finding.subject)));
  const sections = groups
    .filter((group) => group.findings.length > 0)
    .map((group) =>
      [
        paint(look, "strong", group.title),
        ...group.findings.flatMap((finding) => findingLines(finding, { look, widest })),
      ].join("\n"),
    );
  return [...sections, verdictOf(all, look)].join("\n\n");
}

function findingLines(finding: Finding, to: { look: Look; widest: number }): string[] {
  const { look, widest } = to;
  const { symbol, tone } = SIGNS[finding.verdict];
  const subject = padTo(finding.subject, { width: widest, align: "left" });
  const indent = " ".repeat(widest + 6);
  const line = `  ${paint(look, tone, mark(look, symbol))} ${subject}  ${finding.text}`;
  const remedy = finding.remedy === null ? [] : [`${indent}${finding.remedy}`];
  return [line, ...remedy].map((each) => wrap(each, { width: look.width, indent }));
}

function verdictOf(findings: readonly Finding[], look: Look): string {
  const bad = findings.filter((finding) => finding.verdict === "bad").length;
  const warn = findings.filter((finding) => finding.verdict === "warn").length;
  if (bad > 0)
    return `${paint(look, "bad", mark(look, "cross"))} ${bad} of ${findings.length} findings must be put right`;
  if (warn > 0)
    return `${paint(look, "warn", mark(look, "half"))} it works; ${warn} of ${findings.length} findings could be better`;
  return `${paint(look, "good", mark(look, "check"))} nothing is wrong`;
}
