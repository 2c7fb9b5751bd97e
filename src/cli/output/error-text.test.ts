import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { UnderstudyError } from "../../core/errors.ts";
import { asUnderstudyError, renderError } from "./error-text.ts";
import { PLAIN } from "./look.ts";

const ERROR = new UnderstudyError("PORT_TAKEN", "port 6431 is in use by process 42", {
  details: { port: 6431 },
});
const FOR_PEOPLE = { format: "table", look: PLAIN, debug: false } as const;

describe("an error", () => {
  it("says what and why, then what to do, and shows no stack trace", () => {
    assert.equal(
      renderError(ERROR, FOR_PEOPLE),
      "x error: port 6431 is in use by process 42\n" +
        "  hint: Choose another with --port, or leave --port away to take the next free ones.\n",
    );
  });

  it("is one JSON document in JSON mode", () => {
    assert.deepEqual(JSON.parse(renderError(ERROR, { ...FOR_PEOPLE, format: "json" })), {
      code: "PORT_TAKEN",
      message: "port 6431 is in use by process 42",
      hint: "Choose another with --port, or leave --port away to take the next free ones.",
      details: { port: 6431 },
    });
  });

  it("shows its stack trace to those who ask for it", () => {
    assert.match(renderError(ERROR, { ...FOR_PEOPLE, debug: true }), /error-text\.test\.ts/);
  });

  it("shows the place of a mistake in a statement, and nothing in it reaches the terminal raw", () => {
    const error = new UnderstudyError("SQL_FAILED", "bad\u001b[2J", {
      hint: "",
      details: { excerpt: "LINE 1: selec\n        ^" },
    });
    assert.equal(
      renderError(error, FOR_PEOPLE),
      "x error: bad\\u001b[2J\n  LINE 1: selec\n          ^\n",
    );
  });

  it("is our own mistake when it is not of our own making, and an interruption when aborted", () => {
    assert.equal(asUnderstudyError(new TypeError("x is undefined")).code, "INTERNAL");
    assert.equal(asUnderstudyError(new DOMException("stop", "AbortError")).code, "INTERRUPTED");
    assert.equal(asUnderstudyError(ERROR), ERROR);
  });
});
