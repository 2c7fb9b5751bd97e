import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sampleDrill } from "../../../test/support/sample-drill.ts";
import { hasPassed, reportOf } from "../../local/drill/report.ts";
import { PLAIN } from "../output/look.ts";
import { renderDrill } from "./drill.ts";

const VIEW = { look: PLAIN, picture: null };

describe("the report of a drill", () => {
  it("says in its first line what stood still and that nothing was lost", () => {
    const [first, second] = renderDrill(sampleDrill({ gaps: [221] }).report, VIEW).split("\n");
    assert.equal(first, "+ crash of t-1: writes stood still for 221 ms, nothing was lost");
    assert.equal(second, "  PostgreSQL 15.20 - 3 members - synchronous replication off");
  });

  it("is a table of what was measured, then what happened, each with its time", () => {
    const lines = renderDrill(sampleDrill({ gaps: [1_210] }).report, VIEW).split("\n");
    const row = (what: string) => lines.find((line) => line.includes(what))?.trim();
    assert.match(row("writes stood still, at most") ?? "", / 1\.21 s$/);
    assert.match(row("acknowledged writes lost") ?? "", / 0 of 330$/);
    assert.match(row("the old primary streams") ?? "", / 1\.61 s after the crash \(streamed on\)$/);
    assert.match(row("term, timeline") ?? "", / 1 to 2, 2 to 3$/);
    assert.ok(lines.includes("    0 ms  every process of t-1 is killed"));
    assert.ok(lines.includes("  1.61 s  t-1 streams again"));
  });

  it("has a line for each of several rounds, and their median with the least and the most", () => {
    const text = renderDrill(sampleDrill({ gaps: [300, 100, 221] }).report, VIEW);
    assert.match(text, /writes stood still, at most +221 ms \(100 ms to 300 ms\)/);
    assert.match(text, /^ +2 {2}t-1 {3}t-2 +100 ms/m);
  });

  it("names what was lost, first and in its row, and has then not passed", () => {
    const { report } = sampleDrill({ lost: 3 });
    assert.equal(report.passed, false);
    const text = renderDrill(report, VIEW);
    assert.match(text, /^x crash of t-1: .* 3 acknowledged writes lost\n/);
    assert.match(text, /acknowledged writes lost +3 of 330/);
  });

  it("does not call kept what could not be counted", () => {
    const { report } = sampleDrill({ lost: null });
    assert.equal(report.passed, false);
    assert.match(renderDrill(report, VIEW), /could not be counted/);
  });

  it("says what is left, and where the picture is", () => {
    const { report } = sampleDrill();
    assert.match(renderDrill(report, VIEW), /nothing is left of the drill/);
    const left = renderDrill(
      { ...report, left: ["the schema is still there"] },
      {
        ...VIEW,
        picture: "drill.svg",
      },
    );
    assert.match(left, /! the schema is still there\n {2}picture drill\.svg$/);
  });

  it("has passed only where every round has", () => {
    const { report } = sampleDrill({ gaps: [1, 2] });
    const [one, other] = report.rounds;
    assert.ok(one !== undefined && other !== undefined && hasPassed(one));
    for (const bad of [{ lost: 1 }, { doubled: 1 }, { repeated: 1 }, { cameBack: false }]) {
      assert.equal(hasPassed({ ...other, ...bad }), false);
      assert.equal(reportOf({ ...report, rounds: [one, { ...other, ...bad }] }).passed, false);
    }
    assert.equal(reportOf({ ...report, rounds: [] }).passed, false);
  });
});
