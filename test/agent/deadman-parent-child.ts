// An agent's place taken by a process that does nothing but guard: it has a real deadman, says what
// it is told to say, and can be busy. For deadman.test.ts; the setup is its one argument, as JSON.
import { appendFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { AgentCommand } from "../../src/agent/deadman/guardian.ts";
import { DeadmanGuard } from "../../src/agent/deadman/guard.ts";
import { nowMs, type DeadlinePolicy } from "../../src/agent/deadman/policy.ts";
import { Journal } from "../../src/agent/journal.ts";

export interface ParentSetup {
  readonly data: string;
  /** For the files of the member. */
  readonly directory: string;
  readonly policy: DeadlinePolicy;
  readonly ttlMs: number;
  readonly holdsLease: boolean;
  /** It has not looked yet at the server that it found. */
  readonly isUnseen?: boolean;
  /** It has nothing to guard yet: its deadman need not be there before so long. */
  readonly withinMs?: number;
  /** The store confirms renewals for so long. */
  readonly confirmsForMs?: number;
  /** Its loop does not turn for so long, again and again. */
  readonly busyMs?: number;
  /** How an agent is started again: another one such as this, or a program that ends at once. */
  readonly successor: "this" | "none";
}

const LAUNCHER = fileURLToPath(new URL("../../bin/understudy.js", import.meta.url));
const TERM = 3;

guard(JSON.parse(process.argv[2] ?? ""));

function guard(setup: ParentSetup): void {
  const { data, directory, policy, ttlMs, holdsLease, confirmsForMs = Infinity } = setup;
  const { isUnseen = false } = setup;
  const output = `${directory}/agent.out`;
  // Whoever waits for a parent, or for the next one, reads here.
  appendFileSync(`${directory}/parents`, `${process.pid}\n`);
  const again = [...process.execArgv, ...process.argv.slice(1)];
  const restart: AgentCommand =
    setup.successor === "this"
      ? { file: process.execPath, args: again, output }
      : { file: "/bin/false", args: [], output };
  // Whoever asks whether the deadman waited long enough reads what it was told last, on the clock
  // that all processes share. Written after it was told: what is read is never too late.
  const heard = (atMs: number) =>
    setImmediate(() => appendFileSync(`${directory}/heard`, `${atMs}\n`));
  const guarding = new DeadmanGuard({
    member: "demo-1",
    paths: {
      data,
      events: `${directory}/events.jsonl`,
      agentLog: `${directory}/agent.log`,
      agentOutput: output,
    },
    policy,
    program: { file: process.execPath, argsPrefix: [LAUNCHER], env: {} },
    restart,
    standing: () => {
      if (policy === "own-liveness") heard(nowMs("own-liveness"));
      return { holdsLease, mayBeWritable: holdsLease || isUnseen, isUnseen, term: TERM, ttlMs };
    },
    log: new Journal({ path: `${directory}/agent.log`, member: "demo-1" }),
  });
  if (setup.withinMs === undefined) guarding.begin();
  else guarding.beginWithin(setup.withinMs);
  const begun = performance.now();
  const renew = () => {
    const atMs = nowMs("own-liveness");
    const confirmed = guarding.sending();
    if (!holdsLease || performance.now() - begun >= confirmsForMs) return;
    confirmed({ term: TERM, ttlMs });
    heard(atMs);
  };
  renew();
  setInterval(renew, ttlMs / 5);
  process.once("SIGTERM", () => void guarding[Symbol.asyncDispose]().then(() => process.exit(0)));
  if (setup.busyMs !== undefined) stayBusy(setup.busyMs);
}

/** In between the loop turns once. */
function stayBusy(busyMs: number): void {
  const until = performance.now() + busyMs;
  while (performance.now() < until);
  setTimeout(() => stayBusy(busyMs), 1);
}
