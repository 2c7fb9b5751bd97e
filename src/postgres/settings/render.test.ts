import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../core/secret.ts";
import { SUPPORTED_MAJORS } from "../../core/spec.ts";
import { renderIdent, renderPassfile, renderPostgresqlConf, renderRecoveryFile } from "./render.ts";
import { SAMPLE } from "../../../test/support/settings-context.ts";

test("every line of postgresql.conf is one setting, and each stands once", () => {
  for (const major of SUPPORTED_MAJORS) {
    const text = renderPostgresqlConf({ ...SAMPLE, major }, { work_mem: "8MB" });
    const [header, ...lines] = text.trimEnd().split("\n");
    assert.match(header ?? "", /^# Written by Understudy/);
    const names = lines.map((line) => /^([A-Za-z_.]+) = '.*'$/.exec(line)?.[1]);
    assert.equal(names.includes(undefined), false, `${major}`);
    assert.equal(new Set(names).size, names.length, `${major}`);
    assert.ok(names.includes("work_mem"));
  }
});

test("what differs by major is rendered by major", () => {
  const twelve = renderPostgresqlConf({ ...SAMPLE, major: 12 }, {});
  const eleven = renderPostgresqlConf({ ...SAMPLE, major: 11 }, {});
  const thirteen = renderPostgresqlConf({ ...SAMPLE, major: 13 }, {});
  assert.match(twelve, /^primary_conninfo = /m);
  assert.doesNotMatch(eleven, /primary_|recovery_target/);
  assert.match(twelve, /^wal_keep_segments = '8'$/m);
  assert.match(thirteen, /^wal_keep_size = '128MB'$/m);
  assert.doesNotMatch(twelve, /wal_keep_size/);
});

test("up to 11 the recovery file says whom to follow, from 12 it is empty", () => {
  const eleven = renderRecoveryFile({ ...SAMPLE, major: 11 });
  assert.match(eleven, /^standby_mode = 'on'$/m);
  assert.match(eleven, /^recovery_target_timeline = 'latest'$/m);
  assert.match(eleven, /^primary_slot_name = 'understudy_demo_2'$/m);
  assert.match(eleven, /^primary_conninfo = 'host=''127\.0\.0\.1'' port=''6431'' /m);
  assert.equal(renderRecoveryFile({ ...SAMPLE, major: 12 }), "");
  assert.doesNotMatch(renderRecoveryFile({ ...SAMPLE, major: 11, upstream: null }), /primary_/);
});

test("no settings file holds a password", () => {
  for (const major of SUPPORTED_MAJORS) {
    const context = { ...SAMPLE, major };
    const text =
      renderPostgresqlConf(context, {}) + renderRecoveryFile(context) + renderIdent(null);
    assert.doesNotMatch(text, /password=/);
    assert.match(text, /passfile=''\/srv\/demo\/demo-2\/settings\/passfile''/);
  }
});

test("a passfile has one line for each member, for the replication role only", () => {
  const text = renderPassfile({
    members: [
      { host: "127.0.0.1", port: 6431 },
      { host: "::1", port: 6432 },
    ],
    replicationUser: "repl",
    replicationPassword: new Secret("a:b\\c"),
  });
  assert.equal(
    text,
    "127.0.0.1:6431:replication:repl:a\\:b\\\\c\n\\:\\:1:6432:replication:repl:a\\:b\\\\c\n",
  );
});

test("a path with spaces, quotes and backslashes stays one path", () => {
  const text = renderPostgresqlConf({ ...SAMPLE, dataDir: "/srv/it's a \\ dir" }, {});
  assert.match(text, /^data_directory = '\/srv\/it''s a \\\\ dir'$/m);
  assert.throws(() => renderPostgresqlConf({ ...SAMPLE, dataDir: "/srv/a\nfsync = off" }, {}), {
    code: "PARAMETER_INVALID",
  });
});
