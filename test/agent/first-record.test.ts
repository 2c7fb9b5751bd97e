// What an agent writes where the cluster has no record, by what there is in its own directory.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { firstRecord, type FirstRecord } from "../../src/agent/first-record.ts";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { MemberMemory } from "../../src/agent/memory.ts";

const FOUNDING = {
  members: ["izdb-1", "izdb-2"],
  ttlMs: 10_000,
  sync: { mode: "off", required: 1, whenUnavailable: "block" },
} as const;

async function place(member: string) {
  const root = await mkdtemp(join(tmpdir(), "first-record-"));
  const paths = memberPaths(root, member);
  await mkdir(paths.root, { recursive: true });
  const of: FirstRecord = {
    cluster: "izdb",
    member,
    paths,
    founding: FOUNDING,
    adopter: null,
    goneMs: 0,
  };
  return { paths, of, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) };
}

test("a new cluster is founded by its first member, and by no other", async () => {
  await using first = await place("izdb-1");
  const record = await firstRecord(first.of);
  assert.deepEqual([record.heir, record.term, record.systemId], ["izdb-1", 0, null]);
  await using second = await place("izdb-2");
  await assert.rejects(firstRecord(second.of), { code: "RECORD_LOST", message: /izdb-1 is to/ });
});

test("who has data, or remembers a term, founds nothing and says what to do", async () => {
  await using withData = await place("izdb-1");
  await mkdir(withData.paths.data);
  await writeFile(join(withData.paths.data, "PG_VERSION"), "15\n");
  await assert.rejects(firstRecord(withData.of), {
    code: "RECORD_LOST",
    message: /izdb-1 has data of it, so nothing is founded here/,
    hint: /kubectl annotate lease CLUSTER understudy\.dev\/adopt=MEMBER/,
  });
  await using remembers = await place("izdb-1");
  await (await MemberMemory.load(remembers.paths.memory)).rememberTerm(7);
  await assert.rejects(firstRecord(remembers.of), { message: /has known one of term 7/ });
});

test("whom a person names makes it anew, but not without data nor before a lease has gone by", async () => {
  await using empty = await place("izdb-1");
  await assert.rejects(firstRecord({ ...empty.of, adopter: "izdb-1", goneMs: 60_000 }), {
    message: /izdb-1 has no data, and izdb-1 is named/,
  });
  await mkdir(empty.paths.data);
  await writeFile(join(empty.paths.data, "PG_VERSION"), "15\n");
  await assert.rejects(firstRecord({ ...empty.of, adopter: "izdb-1", goneMs: 9_999 }), {
    message: /when a lease \(10 s\) has gone by/,
  });
});
