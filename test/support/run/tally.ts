// What test files said, gathered from the events of Node's test runner: how many tests passed, and
// the failures in full. A run that holds no test is a failure: it would otherwise pass in silence.
import { inspect } from "node:util";

/** The part of an event of node:test that is looked at. */
export interface TestEvent {
  readonly type: string;
  readonly data?: unknown;
}

export interface Tally {
  readonly passed: number;
  /** Each with its name in the first line. */
  readonly failures: readonly string[];
}

export async function tallyOf(events: AsyncIterable<TestEvent>): Promise<Tally> {
  let passed = 0;
  let output = "";
  const failures: string[] = [];
  for await (const event of events) {
    const { name, file, message, details } = Object(event.data) as EventData;
    if (event.type === "test:stdout" || event.type === "test:stderr") output += message ?? "";
    // Node reports a whole file as a test under its path: when it fails, and when it is empty.
    if (event.type === "test:pass" && details?.type !== "suite" && name !== file) passed += 1;
    if (event.type === "test:fail" && !failsOnlyWithItsSubtests(details?.error))
      failures.push(`${name}\n${indent(causeText(details?.error))}`);
  }
  if (passed + failures.length === 0) failures.push("there is no test in it");
  const last = failures.pop();
  if (last === undefined) return { passed, failures };
  const meanwhile = output === "" ? "" : `\n  printed meanwhile:\n${indent(output.trimEnd())}`;
  return { passed, failures: [...failures, `${last}${meanwhile}`] };
}

interface EventData {
  readonly name?: string;
  readonly file?: string;
  readonly message?: string;
  readonly details?: { readonly type?: string; readonly error?: unknown };
}

/** Such a suite or test is counted once, where it happened. */
function failsOnlyWithItsSubtests(error: unknown): boolean {
  return Reflect.get(Object(error), "failureType") === "subtestsFailed";
}

/** Node wraps what a test threw; the frames inside of Node tell nothing. */
function causeText(error: unknown): string {
  const thrown: unknown = Reflect.get(Object(error), "cause") ?? error;
  if (!(thrown instanceof Error)) return inspect(thrown, { depth: 6 });
  const cause = thrown.cause === undefined ? "" : `\ncause: ${inspect(thrown.cause)}`;
  const stack = (thrown.stack ?? thrown.message).replaceAll(/\n\s+at .*\bnode:.*/g, "");
  return `${stack}${cause}`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "    ");
}
