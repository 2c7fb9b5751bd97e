import assert from "node:assert/strict";
import { test } from "node:test";
import { rewindObstacle, type RewindFacts } from "./obstacle.ts";

const MB = 1024 * 1024;
const GOOD: RewindFacts = {
  tools: ["psql", "pg_rewind"],
  target: {
    walLogHints: true,
    checksumVersion: 0,
    timeline: 2,
    dataBytes: 500 * MB,
    tablespaces: 0,
  },
  source: { timeline: 3, tablespaces: 0 },
  divergedWalBytes: 16 * MB,
  missingSegment: null,
};

function target(change: Partial<RewindFacts["target"]>): RewindFacts {
  return { ...GOOD, target: { ...GOOD.target, ...change } };
}

test("a small divergence with hint bits or checksums in WAL may be rewound", () => {
  assert.equal(rewindObstacle(GOOD), null);
  assert.equal(rewindObstacle(target({ walLogHints: false, checksumVersion: 1 })), null);
});

test("each thing that is missing is named", () => {
  const cases: [RewindFacts, RegExp][] = [
    [{ ...GOOD, tools: ["psql"] }, /no pg_rewind/],
    [target({ walLogHints: false }), /neither data checksums nor wal_log_hints/],
    [target({ timeline: 3 }), /on timeline 3 itself/],
    [target({ tablespaces: 1 }), /tablespaces/],
    [{ ...GOOD, source: { timeline: 3, tablespaces: 2 } }, /tablespaces/],
    [
      { ...GOOD, missingSegment: "0000000200000000000000A1" },
      /0000000200000000000000A1 is not there/,
    ],
    [{ ...GOOD, divergedWalBytes: 256 * MB }, /too many for 524288000 bytes/],
  ];
  for (const [facts, why] of cases) assert.match(rewindObstacle(facts) ?? "null", why);
});

test("a few segments are never too many, and more than a gigabyte always is", () => {
  const tiny = target({ dataBytes: 30 * MB });
  assert.equal(rewindObstacle({ ...tiny, divergedWalBytes: 64 * MB }), null);
  assert.match(rewindObstacle({ ...tiny, divergedWalBytes: 80 * MB }) ?? "", /too many/);
  const huge = target({ dataBytes: 1e6 * MB });
  assert.equal(rewindObstacle({ ...huge, divergedWalBytes: 1024 * MB }), null);
  assert.match(rewindObstacle({ ...huge, divergedWalBytes: 1040 * MB }) ?? "", /too many/);
});
