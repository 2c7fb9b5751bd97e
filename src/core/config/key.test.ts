import assert from "node:assert/strict";
import { test } from "node:test";
import { UnderstudyError } from "../errors.ts";
import { newRecord, formatRecord, parseRecord, type ClusterRecord } from "../record.ts";
import { CLUSTER_KEYS, CLUSTER_SCOPE } from "./cluster-keys.ts";
import { assignKeys, showKeys, type Assignment } from "./key.ts";
import { MEMBER_KEYS, memberScope } from "./member-keys.ts";

const ADDRESS = { host: "127.0.0.1", port: 6431, apiPort: 7431, tags: {} };

function fresh(): ClusterRecord {
  const members = { "demo-1": ADDRESS, "demo-2": { ...ADDRESS, port: 6432 } };
  return newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 5000, members });
}

function setMember(record: ClusterRecord, assignments: readonly Assignment[]) {
  return assignKeys(record, { scope: memberScope("demo-2", ADDRESS), assignments });
}

function refusal(run: () => unknown): { code: string; message: string; hint: string } {
  try {
    run();
  } catch (thrown) {
    assert(thrown instanceof UnderstudyError, String(thrown));
    const { code, message, hint } = thrown;
    return { code, message, hint };
  }
  assert.fail("nothing was refused");
}

test("settings are kept in the record, and one change raises its generation once", () => {
  const record = fresh();
  const assignments = [
    { key: "NOFAILOVER", text: "yes" },
    { key: "priority", text: "-5" },
  ];
  const changed = setMember(record, assignments);
  assert(changed);
  assert.deepEqual(changed.members["demo-2"]?.tags, { nofailover: true, priority: -5 });
  assert.deepEqual(changed.members["demo-1"]?.tags, {});
  assert.equal(changed.generation, record.generation + 1);
  assert.deepEqual(parseRecord(formatRecord(changed)), changed);
  assert.equal(setMember(changed, assignments), null);
  const reset = setMember(changed, [{ key: "priority", text: null }]);
  assert.deepEqual(
    showKeys(reset ?? record, { scope: memberScope("demo-2", ADDRESS), names: ["priority"] }).map(
      ({ key, value, isDefault }) => ({ key, value, isDefault }),
    ),
    [{ key: "priority", value: 0, isDefault: true }],
  );
});

test("a record that was written before there were settings has the defaults", () => {
  const { policy: _, ...older } = fresh();
  const record = parseRecord(JSON.stringify(older));
  assert.deepEqual(
    showKeys(record, { scope: CLUSTER_SCOPE, names: [] }).map(({ isDefault }) => isDefault),
    CLUSTER_KEYS.map(() => true),
  );
});

test("the limit of a standby's lag is a size, or none", () => {
  const limited = assignKeys(fresh(), {
    scope: CLUSTER_SCOPE,
    assignments: [{ key: "maximumLag", text: "16MB" }],
  });
  assert.equal(limited?.policy.maximumLagBytes, 16_777_216);
  const unlimited = assignKeys(limited, {
    scope: CLUSTER_SCOPE,
    assignments: [{ key: "maximumLag", text: "none" }],
  });
  assert.equal(unlimited?.policy.maximumLagBytes, null);
});

test("a member streams from another that there is, in no circle, and is delayed by a duration", () => {
  const set = setMember(fresh(), [
    { key: "from", text: "demo-1" },
    { key: "delay", text: "90min" },
  ]);
  assert.deepEqual(set?.members["demo-2"]?.tags, { from: "demo-1", delayMs: 5_400_000 });
  const back = setMember(set, [
    { key: "from", text: "primary" },
    { key: "delay", text: null },
  ]);
  assert.deepEqual(back?.members["demo-2"]?.tags, { from: null, delayMs: null });
  const nobody = refusal(() => setMember(fresh(), [{ key: "from", text: "demo-9" }]));
  assert.match(nobody.message, /demo-2 cannot stream from demo-9: there is no such member/);
  const circle = refusal(() => setMember(fresh(), [{ key: "from", text: "demo-2" }]));
  assert.match(circle.message, /in a circle: demo-2 from demo-2; nothing was changed/);
  assert.equal(refusal(() => setMember(fresh(), [{ key: "delay", text: "30d" }])).code, "USAGE");
});

test("unknown keys and wrong values are refused in one sentence, with what there is", () => {
  const unknown = refusal(() => setMember(fresh(), [{ key: "nofail", text: "true" }]));
  assert.equal(unknown.message, 'there is no setting "nofail"');
  assert.equal(unknown.hint, `Known are: ${MEMBER_KEYS.map(({ name }) => name).join(", ")}.`);
  const wrong = refusal(() => setMember(fresh(), [{ key: "priority", text: "2000" }]));
  assert.equal(wrong.message, 'priority takes a whole number from -1000 to 1000, not "2000"');
  assert.equal(wrong.code, "USAGE");
});

test("a member that was removed meanwhile is not put back", () => {
  const record = fresh();
  const { "demo-2": _, ...members } = record.members;
  const { code } = refusal(() =>
    setMember({ ...record, members }, [{ key: "noreads", text: "on" }]),
  );
  assert.equal(code, "REFUSED");
});

test("every key offers values that it takes, and shows the value that was set", () => {
  for (const key of MEMBER_KEYS)
    for (const word of key.words) assert.equal(key.show(key.set(ADDRESS, word)).text, word);
  for (const key of CLUSTER_KEYS)
    for (const word of key.words) assert.equal(key.show(key.set(fresh(), word)).text, word);
});

function setCluster(record: ClusterRecord, ...settings: readonly string[]): ClusterRecord | null {
  const assignments = settings.map((setting) => {
    const [key = "", text = ""] = setting.split("=");
    return { key, text };
  });
  return assignKeys(record, { scope: CLUSTER_SCOPE, assignments });
}

test("commits may be told to wait for as many standbys as there are, and no more", () => {
  const one = setCluster(fresh(), "sync=on");
  assert.deepEqual(one?.sync, { ...fresh().sync, mode: "on", required: 1 });
  const both = setCluster(fresh(), "sync=yes", "required=1", "whenUnavailable=degrade");
  assert.equal(both?.sync.whenUnavailable, "degrade");
  assert.equal(
    refusal(() => setCluster(fresh(), "sync=on", "required=2")).message,
    "commits cannot wait for 2 standbys: they may only wait for demo-2; nothing was changed",
  );
  // It is only looked at where it matters.
  assert.equal(setCluster(fresh(), "required=2")?.sync.required, 2);
});

test("the last standby that commits may wait for stays one", () => {
  const on = setCluster(fresh(), "sync=on");
  assert(on);
  const { code, message } = refusal(() => setMember(on, [{ key: "nofailover", text: "on" }]));
  assert.equal(code, "REFUSED");
  assert.match(message, /there is none that they may wait for; nothing was changed$/);
});

test("where too few can be waited for already, what mends a part of it is not refused", () => {
  const record = setCluster(fresh(), "required=2");
  assert(record);
  const barred = setMember(record, [{ key: "nofailover", text: "on" }]);
  assert(barred);
  const short = { ...barred, sync: { ...barred.sync, mode: "on" as const } };
  // One of two, which is better than none.
  const mended = setMember(short, [{ key: "nofailover", text: "off" }]);
  assert.equal(mended?.members["demo-2"]?.tags.nofailover, false);
  assert.equal(setCluster(short, "required=1")?.sync.required, 1);
  assert.equal(
    setMember(short, [{ key: "priority", text: "7" }])?.generation,
    short.generation + 1,
  );
  assert.equal(refusal(() => setCluster(short, "required=3")).code, "REFUSED");
});
