// What valibot found wrong with a document, in words: `"members.demo-1.port": it is missing`.
import * as v from "valibot";

export function describeIssue(issue: v.BaseIssue<unknown>): string {
  const place = v.getDotPath(issue) ?? "its root";
  const problem = issue.received === "undefined" ? "it is missing" : issue.message;
  return `"${place}": ${problem}`;
}
