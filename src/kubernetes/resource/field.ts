// The words in which the custom resource is described: valibot's, and a few of ours for what only
// the Kubernetes API checks. One description serves both sides: structural.ts makes the schema of
// the custom resource definition of it, valibot reads what people have written.
import * as v from "valibot";

/** A rule between fields that both sides check: here in TypeScript, in the API server as CEL. */
export interface Rule<T> {
  /** Over `self`, of Kubernetes 1.25 and later; older ones leave the rule to us. */
  readonly cel: string;
  /** One sentence, as an answer to "why not?". */
  readonly message: string;
  readonly holds: (value: T) => boolean;
}

export function rule<T>({ cel, message, holds }: Rule<T>) {
  return { ...v.check<T, string>(holds, message), cel };
}

/** A value that stays as it was first set: `objectionsToChange` checks it where no CEL is. */
export function unchanging<T>(message: string) {
  return v.metadata<T, Readonly<Record<string, unknown>>>({
    "x-kubernetes-validations": [{ rule: "self == oldSelf", message }],
  });
}

/** A list of objects that are told apart by these of their fields. */
export function keyedBy<T>(...keys: readonly string[]) {
  return v.metadata<T, Readonly<Record<string, unknown>>>({
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": keys,
  });
}

/** An object with these fields and no others. */
export function fields<Entries extends v.ObjectEntries>(entries: Entries) {
  return v.strictObject(entries, (issue) => {
    if (issue.expected === "never")
      return `there is no such field; there are: ${Object.keys(entries).join(", ")}`;
    return issue.received === "undefined"
      ? "it is missing"
      : `it must be a map of fields, not ${issue.received}`;
  });
}

/** A number or a text, as a person writes 200 or 256MB. */
export function intOrString() {
  return v.union([v.string(), v.pipe(v.number(), v.integer())], neitherOfThem);
}

function neitherOfThem({ input, received }: v.BaseIssue<unknown>): string {
  const what = typeof input === "object" ? "more than one value" : received;
  return `it must be a text or a whole number, not ${what}; write it in quotes`;
}

export function wholeNumber(about: string, range: { from: number; to: number }) {
  const problem = (issue: v.BaseIssue<unknown>) =>
    `it must be a whole number from ${range.from} to ${range.to}, not ${issue.received}`;
  return v.pipe(
    v.number(problem),
    v.integer(problem),
    v.minValue(range.from, problem),
    v.maxValue(range.to, problem),
    v.description(about),
  );
}

/** @param of.looksLike for the sentence that refuses another: "a size such as 10Gi" */
export function text(
  about: string,
  of: { looksLike: string; pattern?: RegExp; maxLength?: number },
) {
  const { looksLike, pattern = /\S/, maxLength = 253 } = of;
  const problem = (issue: v.BaseIssue<unknown>) => `it must be ${looksLike}, not ${issue.received}`;
  return v.pipe(
    v.string(problem),
    v.minLength(1, problem),
    v.maxLength(maxLength, problem),
    v.regex(pattern, problem),
    v.description(about),
  );
}

export function choice<const Options extends readonly string[]>(about: string, options: Options) {
  const problem = ({ received }: v.BaseIssue<unknown>) =>
    `it must be one of ${options.join(", ")}, not ${received}${quotesHint(received)}`;
  return v.pipe(v.picklist(options, problem), v.description(about));
}

/** YAML takes on, off, yes and no for true and false. */
function quotesHint(received: string): string {
  return received === "true" || received === "false" ? "; write it in quotes" : "";
}

export function yesOrNo(about: string) {
  return v.pipe(
    v.boolean((issue) => `it must be true or false, not ${issue.received}`),
    v.description(about),
  );
}
