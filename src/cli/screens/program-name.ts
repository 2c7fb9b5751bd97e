// How the user called us, so that a printed command can be pasted.
import type { Environment } from "../output/look.ts";

/** npm sets these for what `npx`, `npm exec` and `npm start` run. */
export function programName(env: Environment): string {
  return env["npm_command"] || env["npm_lifecycle_event"] ? "npx understudy" : "understudy";
}
