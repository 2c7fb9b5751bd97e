// The arguments of processes that this program starts itself, agents and deadmen: always `--name
// value`. Node's own parser costs each of them 4 ms.
import { UnderstudyError } from "../core/errors.ts";

/** @throws UnderstudyError USAGE for anything else. */
export function namedArguments(args: readonly string[]): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  for (let at = 0; at < args.length; at += 2) {
    const [name, value] = [args[at], args[at + 1]];
    if (name === undefined || !name.startsWith("--") || value === undefined)
      throw new UnderstudyError("USAGE", `${JSON.stringify(name)} is no --name with a value`);
    named.set(name.slice(2), value);
  }
  return named;
}
