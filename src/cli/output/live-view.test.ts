import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LineLog, LiveBlock } from "./live-view.ts";

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
});
