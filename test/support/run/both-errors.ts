// Loaded before a test file: where a test fails and so does what cleans up after it, Node's runner
// tells neither. Both are printed, and a failed test shows what was printed.
import { afterEach } from "node:test";
import { inspect } from "node:util";

afterEach((context) => {
  // The types of Node do not know it yet (manual, "context.error").
  const failure: unknown = Reflect.get(context, "error");
  const thrown: unknown = Reflect.get(Object(failure), "cause");
  if (!(thrown instanceof SuppressedError)) return;
  const { suppressed, error } = thrown;
  process.stderr.write(`it failed: ${inspect(suppressed)}\nand cleaning up: ${inspect(error)}\n`);
});
