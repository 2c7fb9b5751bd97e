import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { confirm, type Asking } from "./confirm.ts";

const QUESTION = { what: "delete demo", expect: "yes", flag: "--yes" };

function asking(answer: string | null, yes = false): Asking & { stderr: PassThrough } {
  const isTTY = answer !== null;
  const stdin = Object.assign(new PassThrough(), { isTTY });
  if (answer !== null) stdin.write(`${answer}\n`);
  const stderr = Object.assign(new PassThrough(), { isTTY });
  return { stdin, stderr, yes, signal: new AbortController().signal };
}

describe("a confirmation", () => {
  it("goes on when the word is typed, and shows what will happen first", async () => {
    const terminal = asking("yes");
    await confirm(QUESTION, terminal);
    assert.match(String(terminal.stderr.read()), /This will delete demo\.\nType yes to go on/);
  });

  it("changes nothing for any other answer", async () => {
    await assert.rejects(confirm(QUESTION, asking("y")), { code: "REFUSED" });
  });

  it("fails at once where nobody can be asked, naming the flag", async () => {
    await assert.rejects(confirm(QUESTION, asking(null)), {
      code: "CONFIRMATION_NEEDED",
      hint: /--yes/,
    });
  });

  it("asks nothing with --yes", async () => {
    const silent = asking(null, true);
    await confirm(QUESTION, silent);
    assert.equal(silent.stderr.read(), null);
  });
});
