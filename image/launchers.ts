// The programs of the image that are started by name. Each is a script whose first line names its
// interpreter, because no shell may be assumed: neither in our image nor in that of PostgreSQL. A
// first line can give one argument, no more.

/** Where our own image has everything. */
export const HOME = "/understudy";
/** Where pods have it: the init container copies it there, and PostgreSQL's container runs it. */
export const CARRIED_HOME = "/opt/understudy";

/** The name fits into the place where Node's file has that of the system's loader. */
export const LOADER = `${CARRIED_HOME}/lib/ld.so`;
/** As the loader reads it: from the directory in which the program is, wherever that is. */
export const LIBRARIES = "$ORIGIN/../lib";

/**
 * Started by the loader itself, as the volume that it fills is mounted over CARRIED_HOME, where the
 * loader is looked for by everybody else.
 */
export const BRING = `#!${HOME}/lib/ld.so ${HOME}/bin/node
import { main } from "./dist/cli/bring-main.js";
process.exitCode = await main(process.argv.slice(2));
`;

/**
 * Puts tini in its own place, which is then the container's first process: it waits for every
 * process that loses its parent, which Node does not, and ends with the agent; and with the first
 * process the kernel ends all others. (tini cannot be the interpreter of a script: it would need
 * "--" beside the name of a program.) Where the pod has a first process of its own, tini is told to
 * adopt all the same.
 *
 * The agent itself starts as every agent does, so that it is found by its command line and its
 * deadman can start it in the same way.
 */
export const AGENT = `#!${CARRIED_HOME}/bin/node
import { ownProgram } from "./dist/cli/entry.js";
const tini = "${CARRIED_HOME}/bin/tini";
const { file, argsPrefix, env } = ownProgram();
const agent = [file, ...argsPrefix, "agent", ...process.argv.slice(2)];
process.execve(tini, [tini, ...(process.pid === 1 ? [] : ["-s"]), "--", ...agent], {
  ...env,
  ...process.env,
  UNDERSTUDY_LOGS: "stdout",
});
`;

export const COMMAND = `#!${CARRIED_HOME}/bin/node
import "./bin/understudy.js";
`;
