import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { sampleDrill } from "../../../../test/support/sample-drill.ts";
import { drawDrill, WIDTH } from "./drill-picture.ts";
import { momentsOf, placeMoments } from "./moments.ts";
import { runsOf, spansOf } from "./runs.ts";
import { formatTick, ticksOf, xOf } from "./scale.ts";
import { escaped } from "./shapes.ts";

const drills = fc.record({
  gaps: fc.array(fc.integer({ min: 0, max: 120_000 }), { maxLength: 6 }),
  members: fc.uniqueArray(fc.stringMatching(/^[a-z<&"]{1,12}$/), { minLength: 2, maxLength: 7 }),
  lost: fc.option(fc.nat(100)),
  message: fc.string(),
});

describe("the picture of a drill", () => {
  it("is well-formed, and nothing in it is off the page, whatever was measured", () => {
    fc.assert(
      fc.property(drills, (of) => {
        const picture = drawDrill(sampleDrill(of));
        assertWellFormed(picture);
        assert.doesNotMatch(picture, /NaN|Infinity|undefined|\[object/);
        for (const [, x = ""] of picture.matchAll(/ (?:x|x1|x2|cx)="([^"]+)"/g))
          assert.ok(Number(x) >= -10 && Number(x) <= WIDTH + 10, `x=${x}`);
        for (const [, width = ""] of picture.matchAll(/ width="([^"]+)"/g))
          assert.ok(Number(width) >= 0 && Number(width) <= WIDTH, `width=${width}`);
      }),
      { numRuns: 60 },
    );
  });

  it("says in words what it shows, and shows no colour without a word", () => {
    const passed = drawDrill(sampleDrill({ gaps: [221] }));
    assert.match(passed, />Crash of t-1: writes stood still for 221 ms</);
    assert.match(passed, />✓ passed</);
    assert.match(passed, />acknowledged by t-2</);
    const failed = drawDrill(sampleDrill({ gaps: [221], lost: 3 }));
    assert.match(failed, />✕ failed</);
    assert.match(failed, />3 of \d+ acknowledged writes lost/);
  });

  it("draws the round whose pause is the middle one, and each round as a dot", () => {
    const picture = drawDrill(sampleDrill({ gaps: [900, 210, 100] }));
    assert.match(picture, /class="gap"[^>]*>210 ms</);
    assert.equal(picture.match(/<circle[^>]*fill-opacity/g)?.length, 3);
  });

  it("stays small, however long a drill was", () => {
    const picture = drawDrill(sampleDrill({ gaps: [60_000] }));
    assert.ok(picture.length < 300_000, `${picture.length} characters`);
  });
});

describe("an axis", () => {
  const scales = fc
    .tuple(
      fc.double({ min: -1e5, max: 1e5, noNaN: true }),
      fc.double({ min: 1, max: 1e6, noNaN: true }),
    )
    .map(([fromMs, length]) => ({ fromMs, toMs: fromMs + length, leftPx: 10, rightPx: 900 }));

  it("has no more round numbers than asked for, evenly apart, all of them on it", () => {
    fc.assert(
      fc.property(scales, fc.integer({ min: 1, max: 20 }), (scale, most) => {
        const ticks = ticksOf(scale, most);
        assert.ok(ticks.length <= most + 1);
        for (const tick of ticks) {
          assert.ok(tick >= scale.fromMs - 1e-6 && tick <= scale.toMs + 1e-6);
          assert.ok(xOf(scale, tick) >= 9.9 && xOf(scale, tick) <= 900.1);
          assert.match(formatTick(tick), /^-?[\d.]+ m?s$/);
        }
      }),
    );
  });
});

describe("runs and spans", () => {
  it("lose no moment, and no two runs of one member touch", () => {
    const moments = fc.array(fc.record({ atMs: fc.nat(1_000), member: fc.constantFrom("a", "b") }));
    fc.assert(
      fc.property(moments, fc.nat(50), (seen, apart) => {
        const runs = runsOf(seen, apart);
        for (const { atMs, member } of seen)
          assert.ok(
            runs.some((run) => run.member === member && run.fromMs <= atMs && atMs <= run.toMs),
          );
        runs.slice(1).forEach((run, at) => {
          const before = runs[at];
          assert.ok(before?.member !== run.member || run.fromMs - before.toMs > apart);
        });
      }),
    );
  });

  it("a member's spans follow one another without a hole up to the end", () => {
    const looks = fc.array(
      fc.record({
        atMs: fc.nat(900),
        member: fc.constantFrom("a", "b"),
        look: fc.constantFrom("primary" as const, "streaming" as const, "away" as const),
      }),
    );
    fc.assert(
      fc.property(looks, (changes) => {
        const spans = spansOf(changes, { member: "a", untilMs: 1_000 });
        assert.equal(spans.at(-1)?.toMs ?? 1_000, 1_000);
        spans.slice(1).forEach((span, at) => assert.equal(span.fromMs, spans[at]?.toMs));
      }),
    );
  });
});

describe("the moments' numbers", () => {
  it("never cover one another", () => {
    const scale = { fromMs: 0, toMs: 1_000, leftPx: 0, rightPx: 900 };
    fc.assert(
      fc.property(fc.array(fc.nat(1_000), { maxLength: 12 }), (times) => {
        const events = times.map((atMs) => ({ atMs, member: null, event: "fault", message: "m" }));
        const moments = placeMoments(momentsOf(events), scale);
        for (const one of moments)
          for (const other of moments)
            assert.ok(
              one === other || one.row !== other.row || Math.abs(one.xPx - other.xPx) >= 16,
            );
      }),
    );
  });
});

it("text of elsewhere cannot become SVG", () => {
  assert.equal(escaped('<script a="1">&\u0000'), "&lt;script a=&quot;1&quot;&gt;&amp; ");
});

/** Every element that is opened is closed, in order. */
function assertWellFormed(picture: string): void {
  const open: string[] = [];
  for (const [, closing, name = "", , empty] of picture.matchAll(
    /<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<>]*")*)\s*(\/?)>/g,
  ))
    if (closing === "/") assert.equal(open.pop(), name);
    else if (empty !== "/") open.push(name);
  assert.deepEqual(open, []);
  const rest = picture.replaceAll(/<\/?[a-z]+(?:\s+[\w:-]+="[^"<>]*")*\s*\/?>/g, "");
  assert.doesNotMatch(rest, /[<>]/);
  assert.doesNotMatch(rest, /&(?!amp;|lt;|gt;|quot;)/);
}
