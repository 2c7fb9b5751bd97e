// Asking before something is destroyed. The answer is typed in full; where nobody can be asked the
// command fails at once and names the flag.
import type { Readable, Writable } from "node:stream";
import { UnderstudyError } from "../../core/errors.ts";

export interface Asking {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly stderr: Writable & { readonly isTTY?: boolean | undefined };
  /** --yes was given. */
  readonly yes: boolean;
  readonly signal: AbortSignal;
}

/**
 * Returns when the answer is the expected word.
 * @param question.what "delete the cluster demo and its data in /…", as in "this would …"
 * @throws UnderstudyError CONFIRMATION_NEEDED without a terminal, REFUSED when the answer is
 * another one.
 */
export async function confirm(
  question: { what: string; expect: string; flag: string },
  asking: Asking,
): Promise<void> {
  if (asking.yes) return;
  if (asking.stdin.isTTY !== true || asking.stderr.isTTY !== true)
    throw new UnderstudyError(
      "CONFIRMATION_NEEDED",
      `this would ${question.what}, and there is no terminal to ask on`,
      { hint: `Add ${question.flag} when you mean it.` },
    );
  const { createInterface } = await import("node:readline/promises");
  const reader = createInterface({ input: asking.stdin, output: asking.stderr });
  try {
    const answer = await reader.question(
      `This will ${question.what}.\nType ${question.expect} to go on: `,
      { signal: asking.signal },
    );
    if (answer.trim() === question.expect) return;
  } finally {
    reader.close();
  }
  throw new UnderstudyError(
    "REFUSED",
    `nothing was changed: the answer was not ${question.expect}`,
    {
      hint: `Type ${question.expect}, or add ${question.flag}.`,
    },
  );
}
