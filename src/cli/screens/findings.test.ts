import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PLAIN } from "../output/look.ts";
import type { FindingGroup } from "../../local/doctor.ts";
import { renderDoctor } from "./doctor.ts";
import { renderEvents, renderLogLine } from "./events.ts";
import { programAsCalled, programName, withProgram } from "./program-name.ts";
import { describeProgress } from "./progress.ts";

const GROUPS: readonly FindingGroup[] = [
  {
    title: "PostgreSQL",
    findings: [
      {
        verdict: "good",
        subject: "15.18",
        text: "/usr/lib/postgresql/15/bin, chosen",
        remedy: null,
      },
      {
        verdict: "bad",
        subject: "9.6.24",
        text: "/opt/pg: this major is not supported",
        remedy: "Choose one of 10 to 18.",
      },
    ],
  },
  { title: "Cluster", findings: [] },
];

describe("what doctor found", () => {
  it("is listed by group with a remedy where there is one, and a verdict at the end", () => {
    assert.equal(
      renderDoctor(GROUPS, PLAIN),
      `PostgreSQL
  + 15.18   /usr/lib/postgresql/15/bin, chosen
  x 9.6.24  /opt/pg: this major is not supported
            Choose one of 10 to 18.

x 1 of 2 findings must be put right`,
    );
  });

  it("keeps its indent where a line is broken", () => {
    const text = renderDoctor(GROUPS, { ...PLAIN, width: 40 });
    assert.match(text, /\n {2}x 9\.6\.24 {2}\/opt\/pg: this major is not\n {12}supported\n/);
  });
});

describe("events", () => {
  it("are one line each: when, who, what and why", () => {
    const events = [
      { at: "2026-11-22T12:18:02.123Z", member: "demo-1", event: "promoted", message: "term 4" },
      { at: "2026-11-22T12:18:03.000Z", member: "demo-10", event: "cloned", message: "41 MiB\n" },
    ];
    assert.equal(
      renderEvents(events, PLAIN),
      "2026-11-22 12:18:02Z  demo-1   promoted: term 4\n" +
        String.raw`2026-11-22 12:18:03Z  demo-10  cloned: 41 MiB\n`,
    );
    assert.equal(renderEvents([], PLAIN), "no events yet");
  });

  it("are broken at the terminal's width, with each member of a choice and the rule to ask for", () => {
    const member = { state: "up", timeline: 3, lsn: "0/5000148", lsnIsLeast: false };
    const event = {
      at: "2026-11-22T12:18:02.123Z",
      member: "demo-2",
      event: "elected",
      rule: "stand-for-election",
      message: "demo-2 takes the lease of term 4: it has all the WAL that others have.",
      details: {
        members: [
          { ...member, name: "demo-2", chosen: true, why: null },
          { ...member, name: "demo-3", chosen: false, why: "it has 16 bytes less" },
          { ...member, name: "demo-1", lsn: null, chosen: false, why: "it cannot take part" },
        ],
      },
    };
    const text = renderEvents([event], { ...PLAIN, width: 60 });
    assert.ok(
      text.split("\n").every((line) => line.length <= 60),
      text,
    );
    assert.equal(
      text,
      `2026-11-22 12:18:02Z  demo-2  elected: demo-2 takes the
    lease of term 4: it has all the WAL that others have.
    [stand-for-election]
    demo-2 (up): 0/5000148 on timeline 3; chosen
    demo-3 (up): 0/5000148 on timeline 3; not chosen: it has
      16 bytes less
    demo-1 (up): position unknown; not chosen: it cannot
      take part`,
    );
    assert.equal(renderEvents([event], PLAIN).split("\n").length, 1);
  });
});

describe("a log line", () => {
  it("is made readable when an agent wrote it, and stays as it is otherwise", () => {
    const line = JSON.stringify({
      at: "2026-11-22T12:18:02.123Z",
      event: "cloned",
      message: "all",
    });
    const shown = renderLogLine({ text: line, member: null }, PLAIN);
    assert.equal(shown, "2026-11-22 12:18:02Z  cloned: all");
    for (const text of ["LOG:  ready\u001b", '{"at":1}', '{"at":'])
      assert.equal(
        renderLogLine({ text, member: null }, PLAIN),
        text.replace("\u001b", String.raw`\u001b`),
      );
  });

  it("is broken between words where the terminal is too narrow for it", () => {
    const line = { text: "LOG:  checkpoint complete: wrote 12 buffers", member: "demo-1" };
    assert.equal(
      renderLogLine(line, { ...PLAIN, width: 40 }),
      "demo-1  LOG:  checkpoint complete: wrote\n          12 buffers",
    );
  });
});

describe("small words", () => {
  it("show a step with what is known of it, never above all of it", () => {
    const step = { step: "cloning", bytesDone: null, bytesTotal: null, remainingSeconds: null };
    assert.equal(describeProgress(step), "cloning");
    assert.equal(describeProgress({ ...step, bytesDone: 2048 }), "cloning 2 KiB");
    assert.equal(
      describeProgress({ ...step, bytesDone: 3000, bytesTotal: 2000, remainingSeconds: 0 }),
      "cloning 2.9 KiB of 2 KiB (100 %), 0 s left",
    );
  });

  it("name the program as it was called", () => {
    assert.equal(programName({ npm_lifecycle_event: "start" }), "npx understudy");
    assert.equal(programName({}), "understudy");
  });

  it("name the cluster that was typed in every command that is to be pasted", () => {
    assert.equal(called("status"), "understudy");
    assert.equal(called("status", "--dir", "/srv/x"), "understudy --dir /srv/x");
    assert.equal(
      called("--name=a", "--dir", "/srv/it's", "--", "--name", "z"),
      String.raw`understudy --dir '/srv/it'\''s' --name a`,
    );
    assert.equal(
      withProgram("Start it: understudy up, see: understudy status", "understudy --name a"),
      "Start it: understudy --name a up, see: understudy --name a status",
    );
    assert.equal(withProgram("Understudy itself.", "x"), "Understudy itself.");
  });
});

function called(...args: string[]): string {
  return programAsCalled({ env: {}, args });
}
