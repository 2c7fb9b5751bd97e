import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import * as fc from "fast-check";
import { paint, PLAIN } from "./look.ts";
import { cutTo, displayWidth, harmless, padTo, wrap } from "./text.ts";

describe("text on a terminal", () => {
  it("counts columns, not characters: wide ones take two, colours and joiners none", () => {
    assert.equal(displayWidth("demo"), 4);
    assert.equal(displayWidth("日本"), 4);
    assert.equal(displayWidth("é"), 1);
    assert.equal(displayWidth("👩‍👩‍👧"), 2);
    assert.equal(displayWidth(paint({ ...PLAIN, colour: true }, "good", "ok")), 2);
  });

  it("pads to either side", () => {
    assert.equal(padTo("日", { width: 4, align: "left" }), "日  ");
    assert.equal(padTo("7", { width: 3, align: "right" }), "  7");
  });

  it("cuts a painted line to the width and still closes its colours", () => {
    const line = paint({ ...PLAIN, colour: true }, "bad", "abcdef");
    assert.equal(cutTo(line, 3), "\u001b[31mabc\u001b[39m");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat({ max: 20 }), (text, width) => {
        const cut = cutTo(harmless(text), width);
        assert.ok(displayWidth(cut) <= width);
        assert.ok(harmless(text).startsWith(stripVTControlCharacters(cut)));
      }),
    );
  });

  it("makes foreign text harmless: nothing in it can command the terminal or end a line", () => {
    assert.equal(harmless("a\nb\tc\u001b[2Jd\u202e"), String.raw`a\nb\tc\u001b[2Jd\u202e`);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        assert.doesNotMatch(harmless(text), /\p{Cc}/u);
      }),
    );
  });

  it("breaks sentences at spaces within the width, and not at all where there is none", () => {
    assert.equal(wrap("one two three", { width: 9, indent: "  " }), "one two\n  three");
    assert.equal(wrap("  one two", { width: 6, indent: "    " }), "  one\n    two");
    assert.equal(wrap("one two three", { width: null, indent: "  " }), "one two three");
  });
});
