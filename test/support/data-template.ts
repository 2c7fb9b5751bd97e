// What initdb makes is made once for a whole run of `npm test` and copied for each server: a copy
// costs a third of its processor time. All copies have one system identifier.
import { createHash, randomBytes } from "node:crypto";
import { access, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../src/core/errors.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import type { TestUser } from "./test-user.ts";

/** The directory of templates; without it every data directory is made by itself. */
export const TEMPLATES_VARIABLE = "UNDERSTUDY_TEST_TEMPLATES";
const LIMIT_MS = 60_000;

/**
 * A new data directory that is a copy of what `make` makes at the place that it is given.
 * @param key equal for what may be copied from one template
 */
export async function fillFromTemplate(options: {
  dataDir: string;
  key: readonly string[];
  user: TestUser | undefined;
  make: (dataDir: string) => Promise<void>;
}): Promise<void> {
  const { dataDir, key, user, make } = options;
  const templates = process.env[TEMPLATES_VARIABLE];
  if (templates === undefined) return make(dataDir);
  const name = createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 16);
  const template = join(templates, name);
  if (!(await isThere(template))) await makeOnce(template, make);
  await copyData({ from: template, to: dataDir, user });
}

/** A stopped server's, with its owners and times. */
export async function copyData(of: {
  from: string;
  to: string;
  user: TestUser | undefined;
}): Promise<void> {
  const { from, to, user } = of;
  const args = ["-a", from, to];
  const copied = await runProgram({ program: "cp", args, timeoutMs: LIMIT_MS, ...user });
  if (copied.status !== 0) throw new Error(`cp failed: ${copied.stderr}`);
}

/** Whole or not at all: several processes may begin at once, and one of them may be killed. */
async function makeOnce(template: string, make: (dataDir: string) => Promise<void>): Promise<void> {
  const staging = `${template}.${randomBytes(4).toString("hex")}`;
  try {
    await make(staging);
    await rename(staging, template);
  } catch (thrown) {
    // Another process was quicker.
    if (codeOf(thrown) !== "ENOTEMPTY" && codeOf(thrown) !== "EEXIST") throw thrown;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
