import assert from "node:assert/strict";
import { test } from "node:test";
import { checkManaged, effectiveSettings } from "./managed.ts";
import { renderRestoreCommand } from "./restore-command.ts";
import { renderRecoveryFile } from "./render.ts";
import { SAMPLE } from "../../../test/support/settings-context.ts";

const SPOOL = "/srv/demo/spool";

test("it names the file in the spool once, asks whether it is there, and copies it", () => {
  assert.equal(
    renderRestoreCommand("/srv/demo/spool"),
    `from='/srv/demo/spool/%f'; test -f "$from" && { cp "$from" %p || exit 1; }`,
  );
});

test("a path's own quotes and percent signs stay its own", () => {
  assert.equal(
    renderRestoreCommand("/srv/it's 100%f \\ $(x) `y`").split(";")[0],
    String.raw`from='/srv/it'\''s 100%%f \ $(x) ${"`y`"}/%f'`,
  );
});

test("every member has it from its first start on, with or without anybody to follow", () => {
  const command = renderRestoreCommand(SPOOL);
  for (const upstream of [SAMPLE.upstream, null]) {
    const eleven = { ...SAMPLE, spoolDir: SPOOL, major: 11, upstream } as const;
    assert.equal(effectiveSettings(eleven, {}).has("restore_command"), false);
    assert.ok(
      renderRecoveryFile(eleven).includes(`restore_command = '${command.replaceAll("'", "''")}'\n`),
    );
    for (const major of [12, 18] as const)
      assert.equal(
        effectiveSettings({ ...SAMPLE, spoolDir: SPOOL, major, upstream }, {}).get(
          "restore_command",
        ),
        command,
      );
  }
});

test("who can reach no other member's disk has none, and no promotion waits for shells", () => {
  const nowhere = { ...SAMPLE, spoolDir: null };
  assert.equal(renderRecoveryFile({ ...nowhere, major: 11 }).includes("restore_command"), false);
  for (const major of [12, 18] as const)
    assert.equal(effectiveSettings({ ...nowhere, major }, {}).has("restore_command"), false);
});

test("a user's own is refused by name, with the reason", () => {
  assert.throws(() => checkManaged("Restore_Command", "cp /archive/%f %p"), {
    code: "PARAMETER_MANAGED",
    message: /cannot set restore_command: .* because it fetches what a dead primary's disk still/,
  });
});

test("a path that PostgreSQL up to 15 would cut off is refused", () => {
  renderRestoreCommand(`/${"x".repeat(900)}`);
  assert.throws(() => renderRestoreCommand(`/${"x".repeat(950)}`), {
    code: "PARAMETER_INVALID",
    message: /PostgreSQL takes 1023 bytes, and it would have 10\d\d/,
  });
  // What is doubled for the server is single for the shell.
  renderRestoreCommand(`/${"%".repeat(900)}`);
});
