import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isLive, lookOf, mark, paint, PLAIN, type Environment } from "./look.ts";

const TERMINAL = { isTTY: true, columns: 120 };
const PIPE = {};

function colourOf(env: Environment, stream: { isTTY?: boolean } = TERMINAL): boolean {
  return lookOf(stream, { env, colour: undefined }).colour;
}

function unicodeIn(env: Environment): boolean {
  return lookOf(PIPE, { env, colour: undefined }).unicode;
}

describe("how text may look", () => {
  it("has colour on a terminal and none in a pipe", () => {
    assert.equal(colourOf({}), true);
    assert.equal(colourOf({}, PIPE), false);
  });

  it("obeys NO_COLOR, FORCE_COLOR, TERM=dumb and --no-color", () => {
    assert.equal(colourOf({ NO_COLOR: "1" }), false);
    assert.equal(colourOf({ NO_COLOR: "" }), true);
    assert.equal(colourOf({ FORCE_COLOR: "1" }, PIPE), true);
    assert.equal(colourOf({ FORCE_COLOR: "0" }), false);
    assert.equal(colourOf({ NO_COLOR: "1", FORCE_COLOR: "1" }), false);
    assert.equal(colourOf({ TERM: "dumb" }), false);
    assert.equal(lookOf(TERMINAL, { env: { FORCE_COLOR: "1" }, colour: false }).colour, false);
  });

  it("uses plain letters where the locale has no UTF-8", () => {
    assert.equal(unicodeIn({ LANG: "de_DE.UTF-8" }), true);
    assert.equal(unicodeIn({ LANG: "C.utf8" }), true);
    assert.equal(unicodeIn({ LANG: "de_DE.UTF-8", LC_ALL: "C" }), false);
    assert.equal(unicodeIn({}), false);
    assert.equal(mark(PLAIN, "check"), "+");
    assert.equal(mark({ ...PLAIN, unicode: true }, "cross"), "✕");
  });

  it("knows a width only on a terminal", () => {
    assert.equal(lookOf(TERMINAL, { env: {}, colour: undefined }).width, 120);
    assert.equal(lookOf(PIPE, { env: {}, colour: undefined }).width, null);
  });

  it("paints over lines neither in CI, nor on a dumb terminal, nor in a pipe", () => {
    assert.equal(isLive(TERMINAL, {}), true);
    assert.equal(isLive(TERMINAL, { CI: "true" }), false);
    assert.equal(isLive(TERMINAL, { TERM: "dumb" }), false);
    assert.equal(isLive(PIPE, {}), false);
  });

  it("puts colour around text only where colour is wanted", () => {
    assert.equal(paint(PLAIN, "bad", "x"), "x");
    assert.equal(paint({ ...PLAIN, colour: true }, "bad", "x"), "\u001b[31mx\u001b[39m");
  });
});
