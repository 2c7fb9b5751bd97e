import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UpMember, UpStep } from "../../local/await-streaming.ts";
import { EMPTY_UP, advanceUp, renderUp } from "./up.ts";

const LOOK = { width: 80, unicode: true, colour: false };

function memberAt(ordinal: number): UpMember {
  const role = ordinal === 1 ? "primary" : "standby";
  return { name: `demo-${ordinal}`, role, host: "127.0.0.1", port: 6430 + ordinal };
}

const FOUND: UpStep = {
  kind: "postgres-found",
  version: "15.18",
  binDir: "/usr/lib/postgresql/15/bin",
  reason: null,
};
const CLONING: UpStep = {
  kind: "member-working",
  member: memberAt(2),
  progress: { step: "cloning", bytesDone: 10_000_000, bytesTotal: 40_000_000, remainingSeconds: 3 },
};

function screenOf(steps: readonly UpStep[], live: boolean): string {
  const view = steps.reduce((seen, step) => advanceUp(seen, step), EMPTY_UP);
  return renderUp(view, { look: LOOK, live });
}

const READY: readonly UpStep[] = [
  FOUND,
  { kind: "member-ready", member: memberAt(1), seconds: 0.7, lagBytes: null },
  { kind: "note", text: "port 6432 is taken by another program: demo-2 has 6435" },
  { kind: "member-ready", member: memberAt(2), seconds: 1.9, lagBytes: 0 },
  { kind: "member-failed", member: memberAt(10), reason: "its disk is full" },
];

describe("the screen of up", () => {
  it("shows one line for each thing, under one another", () => {
    assert.equal(
      screenOf(READY, true),
      `✓ PostgreSQL 15.18   /usr/lib/postgresql/15/bin
✓ demo-1   primary    127.0.0.1:6431   0.7 s
! port 6432 is taken by another program: demo-2 has 6435
✓ demo-2   standby    127.0.0.1:6432   streaming, 0 B behind
✕ demo-10  standby    127.0.0.1:6440   its disk is full`,
    );
  });

  it("shows what is at work and how far it is, and replaces it by its end", () => {
    const [, primary] = READY;
    assert.ok(primary);
    assert.equal(
      screenOf([FOUND, primary, CLONING], true).split("\n").at(-1),
      "◐ demo-2  standby    127.0.0.1:6432   cloning 9.5 MiB of 38 MiB (25 %), 3 s left",
    );
    assert.doesNotMatch(screenOf([CLONING, ...READY], true), /cloning/);
  });

  it("says in a log only what has ended", () => {
    assert.equal(
      screenOf([FOUND, CLONING], false),
      "✓ PostgreSQL 15.18   /usr/lib/postgresql/15/bin",
    );
  });
});
