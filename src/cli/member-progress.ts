// Members at work, on stderr, while a command waits for them: how far a copy is, then that it
// streams.
import type { UpStep } from "../local/await-streaming.ts";
import { EMPTY_UP, advanceUp, renderUp } from "./screens/up.ts";
import type { Session } from "./session.ts";

/** Shows each step that `run` tells, and leaves the last picture when it ends or fails. */
export async function showingMembers<T>(
  session: Session,
  run: (onStep: (step: UpStep) => void) => Promise<T>,
): Promise<T> {
  const { live, block } = session.progressBlock();
  let view = EMPTY_UP;
  const picture = () => renderUp(view, { look: session.err, live });
  try {
    return await run((step) => {
      view = advanceUp(view, step);
      block.paint(picture());
    });
  } finally {
    block.end(picture());
  }
}
