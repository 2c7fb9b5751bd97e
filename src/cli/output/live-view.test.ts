import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FullScreen, LineLog, LiveBlock } from "./live-view.ts";

function sink(columns?: number) {
  const written: string[] = [];
  return { written, columns, write: (text: string) => written.push(text) };
}

describe("progress", () => {
  it("is painted over in place, in one write, cut to the width", () => {
    const out = sink(5);
    const block = new LiveBlock(out);
    block.paint("a\nb");
    block.paint("1234567\nb\nc");
    block.paint("1234567\nb\nc");
    block.end("1234567\nb");
    assert.deepEqual(out.written, [
      "\u001b[?25la\u001b[K\nb\u001b[K\n\u001b[J",
      "\u001b[2A\r12345\u001b[K\nb\u001b[K\nc\u001b[K\n\u001b[J",
      "\u001b[3A\r\u001b[J1234567\nb\n\u001b[?25h",
    ]);
  });

  it("is appended where it cannot be painted over, each line once", () => {
    const out = sink();
    const log = new LineLog(out);
    log.paint("one");
    log.paint("one\ntwo");
    log.end("one\ntwo");
    assert.deepEqual(out.written, ["one\n", "two\n"]);
  });

  it("is appended once also when a later, longer name has widened a column", () => {
    const out = sink();
    const log = new LineLog(out);
    log.paint("one  standby");
    log.paint("one     standby\nlonger  standby");
    assert.deepEqual(out.written, ["one  standby\n", "longer  standby\n"]);
  });

  it("has a screen of its own while it is watched, and gives the old one back", () => {
    const out = sink(5);
    const screen = new FullScreen(out);
    screen.paint("1234567\nb");
    screen.paint("c");
    screen.end("1234567");
    assert.deepEqual(out.written, [
      "\u001b[?1049h\u001b[?25l\u001b[H12345\u001b[K\nb\u001b[K\u001b[J",
      "\u001b[Hc\u001b[K\u001b[J",
      "\u001b[?25h\u001b[?1049l1234567\n",
    ]);
  });
});
