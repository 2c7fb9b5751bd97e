// The machine's watchdog beside a deadman; a file is in its place.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chmod, rm, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { WATCHDOG_VARIABLE } from "../../src/agent/deadman/watchdog.ts";
import { signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { testDirectory, testUser } from "../support/test-user.ts";
import { Guarded } from "./guarded.ts";

describe("a watchdog", () => {
  it("is fed with each renewal, by the next deadman too, and disarmed once the server is killed", async () => {
    await using place = await room();
    const path = `${place.directory}/watchdog`;
    await writeFile(path, "", { mode: 0o666 });
    await chmod(path, 0o666);
    await using guarded = await Guarded.start({ env: { [WATCHDOG_VARIABLE]: path } });
    const fed = () => readFileSync(path, "latin1");
    await eventually("it is fed twice", () => fed().length > 1);
    signal(guarded.deadman, "SIGKILL");
    await guarded.untilWatchedBy(guarded.parent);
    const before = fed().length;
    await eventually("it is fed again", () => fed().length > before);
    assert.match(fed(), /^\0+$/);
    signal(guarded.parent, "SIGSTOP");
    await guarded.untilKilled();
    await eventually("it is disarmed", () => /^\0+V$/.test(fed()));
  });

  it("that is not there is named, and everything else is as it was", async () => {
    await using guarded = await Guarded.start({ env: { [WATCHDOG_VARIABLE]: "/nowhere/at/all" } });
    await eventually("it is named", async () => {
      const [event] = await guarded.events("watchdog-not-fed");
      return event !== undefined && /cannot feed the watchdog .*ENOENT/.test(event.message);
    });
    signal(guarded.parent, "SIGSTOP");
    await guarded.untilKilled();
    assert.equal((await guarded.events("watchdog-not-fed")).length, 1, "once");
  });
});

async function room(): Promise<{ directory: string } & AsyncDisposable> {
  const directory = await testDirectory(await testUser());
  return {
    directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
