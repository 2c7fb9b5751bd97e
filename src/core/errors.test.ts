import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  assert as must,
  codeOf,
  ERRORS,
  EXIT_STATUSES,
  messageOf,
  UnderstudyError,
} from "./errors.ts";

describe("the table of errors", () => {
  it("has whole sentences, and exit statuses that are explained", () => {
    for (const [code, { exit, meaning, remedy }] of Object.entries(ERRORS)) {
      assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
      assert.ok(Object.hasOwn(EXIT_STATUSES, exit), code);
      assert.match(meaning, /^[A-Zi][^]*\.$/, code);
      assert.match(remedy, /^[A-Z]/, code);
    }
  });
});

describe("an error", () => {
  it("has its exit status and remedy from the table", () => {
    const error = new UnderstudyError("PORT_TAKEN", "cannot use port 6431: it is in use");
    assert.equal(error.exit, ERRORS.PORT_TAKEN.exit);
    assert.equal(error.hint, ERRORS.PORT_TAKEN.remedy);
    assert.equal(error.message, "cannot use port 6431: it is in use");
    assert.ok(error instanceof Error);
  });

  it("prefers the hint of whoever knows more", () => {
    const error = new UnderstudyError("PORT_TAKEN", "x", { hint: "Try 7000." });
    assert.equal(error.hint, "Try 7000.");
  });

  it("is a document for programs, without its cause", () => {
    const cause = new Error("connect ECONNREFUSED");
    const error = new UnderstudyError("CONNECTION_FAILED", "y", { details: { port: 1 }, cause });
    assert.equal(error.cause, cause);
    assert.deepEqual(JSON.parse(JSON.stringify(error)), {
      code: "CONNECTION_FAILED",
      message: "y",
      hint: ERRORS.CONNECTION_FAILED.remedy,
      details: { port: 1 },
    });
  });
});

describe("what was thrown", () => {
  it("has a text and perhaps a code, whatever it is", () => {
    assert.equal(messageOf(new Error("broken")), "broken");
    assert.equal(messageOf("a string"), "a string");
    assert.equal(messageOf(undefined), "undefined");
    assert.equal(codeOf(Object.assign(new Error("x"), { code: "ENOENT" })), "ENOENT");
    for (const other of [null, undefined, "ENOENT", {}, { code: 7 }, new Error("x")])
      assert.equal(codeOf(other), undefined);
  });
});

describe("an assertion", () => {
  it("lets what is true pass and names what is not", () => {
    must(true, "never seen");
    assert.throws(() => must(0, "there is a member"), {
      code: "INTERNAL",
      message: "assertion failed: there is a member",
    });
  });
});
