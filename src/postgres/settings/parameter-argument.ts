// "name=value", as it stands behind --param.
import { UnderstudyError } from "../../core/errors.ts";

/** @throws UnderstudyError USAGE. Whether the server knows the name is asked later. */
export function parseParameterArgument(argument: string): { name: string; value: string } {
  const at = argument.indexOf("=");
  const name = argument.slice(0, Math.max(at, 0)).trim();
  if (at !== -1 && name !== "") return { name, value: argument.slice(at + 1).trim() };
  throw new UnderstudyError("USAGE", `--param takes NAME=VALUE, not ${JSON.stringify(argument)}`, {
    hint: "For example: --param work_mem=16MB",
  });
}
