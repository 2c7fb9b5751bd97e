import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { ClusterMember, ClusterStatus } from "../../core/cluster-status.ts";
import { API_VERSION } from "../../core/spec.ts";
import { displayWidth } from "../output/text.ts";
import { renderStatus } from "./status.ts";

function memberOf(name: string, change: Partial<ClusterMember> = {}): ClusterMember {
  return {
    name,
    role: "standby",
    state: "streaming",
    reason: null,
    host: "127.0.0.1",
    port: 6430 + Number(name.split("-")[1]),
    pid: 4242,
    timeline: 2,
    writeLsn: "0/5000000",
    flushLsn: "0/5000000",
    replayLsn: "0/5000000",
    receiveLagBytes: 0,
    replayLagBytes: 0,
    replayLagSeconds: 0,
    sync: "async",
    upstream: "demo-1",
    delayMs: null,
    slot: `understudy_${name.replace("-", "_")}`,
    progress: null,
    takesReads: true,
    fenced: false,
    settings: {},
    warnings: [],
    ...change,
  };
}

const PRIMARY = memberOf("demo-1", {
  role: "primary",
  state: "running",
  receiveLagBytes: null,
  replayLagBytes: null,
  replayLagSeconds: null,
  sync: null,
  upstream: null,
  slot: null,
});

function statusOf(change: Partial<ClusterStatus> = {}): ClusterStatus {
  const hosts = "127.0.0.1:6431,127.0.0.1:6432,127.0.0.1:6433";
  return {
    apiVersion: API_VERSION,
    kind: "ClusterStatus",
    cluster: "demo",
    state: "healthy",
    term: 3,
    systemId: "7300000000000000001",
    primary: "demo-1",
    timeline: 2,
    postgresVersion: "15.18",
    members: [PRIMARY, memberOf("demo-2"), memberOf("demo-3")],
    endpoints: {
      write: `postgresql://app@${hosts}/app?target_session_attrs=read-write`,
      read: `postgresql://app@${hosts}/app?target_session_attrs=prefer-standby`,
    },
    sync: { mode: "off", required: 1, whenUnavailable: "block", guarantee: null },
    warnings: [],
    ...change,
  };
}

function screen(status: ClusterStatus, width: number | null, unicode = true): string {
  const look = { width, unicode, colour: false };
  return renderStatus(status, { look, wide: false, program: "understudy" });
}

function headline(change: Partial<ClusterStatus>): string {
  return screen(statusOf(change), 80).split("\n")[0] ?? "";
}

const CLONING = memberOf("demo-3", {
  state: "cloning",
  timeline: null,
  receiveLagBytes: null,
  replayLagBytes: null,
  replayLagSeconds: null,
  sync: null,
  progress: { step: "cloning", bytesDone: 1.5e9, bytesTotal: 2e9, remainingSeconds: 12 },
});

describe("the page of truth", () => {
  it("fits into 80 columns", () => {
    assert.equal(
      screen(statusOf(), 80),
      `✓ demo is healthy: demo-1 is the primary, 2 standbys stream
  PostgreSQL 15.18 · term 3 · timeline 2 · system 7300000000000000001

MEMBER  ROLE     STATE        HOST:PORT       RECV LAG  REPLAY LAG  SYNC
demo-1  primary  ● running    127.0.0.1:6431         -           -  -
demo-2  standby  ● streaming  127.0.0.1:6432       0 B         0 B  async
demo-3  standby  ● streaming  127.0.0.1:6433       0 B         0 B  async

write  postgresql://app@127.0.0.1:6431,…/app?target_session_attrs=read-write
read   postgresql://app@127.0.0.1:6431,…/app?target_session_attrs=prefer-standby
next   understudy status --watch · psql · switchover · down`,
    );
  });

  it("shows more columns and the whole endpoints at 160", () => {
    assert.equal(
      screen(statusOf({ state: "degraded", members: [PRIMARY, memberOf("demo-2"), CLONING] }), 160),
      `◐ demo is degraded: demo-1 is the primary, 1 of 2 standbys streams
  PostgreSQL 15.18 · term 3 · timeline 2 · system 7300000000000000001

MEMBER  ROLE     STATE        HOST:PORT       TIMELINE  RECV LAG  REPLAY LAG  REPLAY DELAY  SYNC
demo-1  primary  ● running    127.0.0.1:6431         2         -           -             -  -
demo-2  standby  ● streaming  127.0.0.1:6432         2       0 B         0 B           0 s  async
demo-3  standby  ◐ cloning    127.0.0.1:6433         -   unknown     unknown       unknown  -

◐ demo-3 is cloning 1.4 GiB of 1.9 GiB (75 %), 12 s left

  write  postgresql://app@127.0.0.1:6431,127.0.0.1:6432,127.0.0.1:6433/app?target_session_attrs=read-write
  read   postgresql://app@127.0.0.1:6431,127.0.0.1:6432,127.0.0.1:6433/app?target_session_attrs=prefer-standby
  next   understudy events · logs · doctor`,
    );
  });

  it("says whom each streams from where that is not the primary alone", () => {
    const cascaded = memberOf("demo-3", { upstream: "demo-2", sync: null });
    const text = screen(statusOf({ members: [PRIMARY, memberOf("demo-2"), cascaded] }), 90);
    assert.match(text, /SYNC {3}FROM$/m);
    assert.match(text, /^demo-1 .* - +-$/m);
    assert.match(text, /^demo-3 .* - +demo-2$/m);
  });

  it("uses plain letters, cuts nothing and drops no column in a pipe", () => {
    const text = screen(statusOf({ warnings: ["a ".repeat(90).trim()] }), null, false);
    assert.match(text, /^\+ demo is healthy/);
    assert.match(text, /REPLAY DELAY/);
    assert.match(text, /^! (a ){89}a$/m);
    assert.doesNotMatch(text, /[^\n\x20-\x7e]/);
  });

  it("says in its first line what is wrong", () => {
    const none = { state: "no-primary", primary: null } as const;
    const gone = { role: "none", state: "unreachable" } as const;
    const claimant = memberOf("demo-2", { role: "primary", state: "running" });
    const waiting = memberOf("demo-3", { state: "catching-up" });
    assert.equal(
      headline({ ...none, members: [memberOf("demo-1", gone), waiting] }),
      "✕ demo has no primary: writes fail, 1 standby still answers reads",
    );
    assert.equal(
      headline({ ...none, members: [memberOf("demo-1", gone)] }),
      "✕ demo is not running: none of its agents answers",
    );
    assert.equal(
      headline({ state: "degraded", primary: null, members: [PRIMARY, claimant] }),
      "◐ demo is degraded: demo-1 and demo-2 all say that they are the primary",
    );
    assert.equal(
      headline({ state: "paused" }),
      "◐ demo is paused, nothing fails over by itself: demo-1 is the primary, 2 standbys stream",
    );
    assert.equal(
      headline({ members: [PRIMARY] }),
      "✓ demo is healthy: demo-1 is the primary, and it has no standby",
    );
  });

  it("gives the reason of every state that needs one, and every warning", () => {
    const doubted = memberOf("demo-2", {
      state: "catching-up",
      reason: "it says that it streams, but demo-1 does not show it",
      warnings: ["work_mem waits for a restart: understudy restart"],
    });
    const text = screen(statusOf({ state: "degraded", members: [PRIMARY, doubted] }), 80);
    assert.match(
      text,
      /^◐ demo-2 is catching-up: it says that it streams, but demo-1 does not show it$/m,
    );
    assert.match(text, /^! demo-2: work_mem waits for a restart: understudy restart$/m);
  });

  it("says the same with colours, and keeps to the width", () => {
    const status = statusOf({ state: "degraded", members: [PRIMARY, memberOf("demo-2"), CLONING] });
    for (const width of [80, 100, 160]) {
      const look = { width, unicode: true, colour: true };
      const painted = renderStatus(status, { look, wide: false, program: "understudy" });
      assert.equal(stripVTControlCharacters(painted), screen(status, width));
      for (const line of painted.split("\n")) assert.ok(displayWidth(line) <= width, line);
    }
  });

  it("shows positions, slots and processes in the wide form", () => {
    const look = { width: 80, unicode: true, colour: false };
    const text = renderStatus(statusOf(), { look, wide: true, program: "understudy" });
    assert.match(text, /WRITE LSN\s+FLUSH LSN\s+REPLAY LSN\s+SLOT\s+PID$/m);
    assert.match(text, /0\/5000000 {2}0\/5000000 {2}0\/5000000 {3}understudy_demo_3 {2}4242$/m);
  });
});

it("what is promised of commits is said, where something is", () => {
  const guarantee = { required: 1, members: ["demo-2", "demo-3"] };
  const sync = { mode: "on", required: 1, whenUnavailable: "block", guarantee } as const;
  assert.match(screen(statusOf({ sync }), null), /commits on 1 of demo-2, demo-3/);
  assert.doesNotMatch(screen(statusOf(), null), /commits on/);
});
