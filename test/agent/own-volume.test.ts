// Whose a volume is, on a real file system.
import assert from "node:assert/strict";
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { requireOwnVolume, VOLUME_OWNER, type VolumeUse } from "../../src/agent/own-volume.ts";
import { UnderstudyError } from "../../src/core/errors.ts";

const ROOT = process.getuid?.() === 0;

async function volume() {
  const root = await mkdtemp(join(tmpdir(), "ust-volume-"));
  const paths = memberPaths(root, "izdb-1");
  const use = (change: Partial<VolumeUse> = {}): VolumeUse => ({
    cluster: "izdb",
    member: "izdb-1",
    paths,
    installation: { family: "linux-glibc-x64-icu72", major: 18 },
    uid: process.getuid?.() ?? 0,
    ...change,
  });
  const refusal = (change: Partial<VolumeUse>) =>
    requireOwnVolume(use(change)).then(
      () => "none",
      (thrown: unknown) => {
        assert.ok(thrown instanceof UnderstudyError);
        return `${thrown.code}: ${thrown.message}. ${thrown.hint}`;
      },
    );
  const remove = () => rm(root, { recursive: true, force: true });
  return { paths, use, refusal, [Symbol.asyncDispose]: remove };
}

test("a member has its volume the first time and every time after that", async () => {
  await using subject = await volume();
  await requireOwnVolume(subject.use());
  await requireOwnVolume(subject.use());
  assert.deepEqual(await readdir(subject.paths.root), [VOLUME_OWNER]);
});

test("another member's volume, and another cluster's, is left alone", async () => {
  await using subject = await volume();
  await requireOwnVolume(subject.use());
  assert.match(
    await subject.refusal({ member: "izdb-2" }),
    /^DIRECTORY_OTHER_CLUSTER: the volume of izdb-2 has the data of izdb-1 of the cluster izdb; .* Give each member/,
  );
  assert.match(await subject.refusal({ cluster: "other" }), /^DIRECTORY_OTHER_CLUSTER: /);
  assert.equal(await subject.refusal({}), "none");
});

test("of two members that come to one volume at once one has it", async () => {
  await using subject = await volume();
  const found = await Promise.all(
    ["izdb-1", "izdb-2", "izdb-3"].map((member) => subject.refusal({ member })),
  );
  assert.equal(found.filter((each) => each === "none").length, 1, found.join("\n"));
});

test("data of another libc or major is not opened", async () => {
  await using subject = await volume();
  await requireOwnVolume(subject.use());
  const musl = { family: "linux-musl-x64-icu72", major: 18 } as const;
  assert.match(
    await subject.refusal({ installation: musl }),
    /^BINARIES_DIFFER: the data of izdb-1 was made with glibc, .* built with musl.* spec\.postgres\.image/,
  );
  const older = { family: "linux-glibc-x64-icu72", major: 17 } as const;
  assert.match(await subject.refusal({ installation: older }), /is of PostgreSQL 18, .* has 17/);
  // An update of the image may bring another ICU; PostgreSQL itself tells which indexes that is
  // for.
  const updated = { family: "linux-glibc-x64-icu76", major: 18 } as const;
  assert.equal(await subject.refusal({ installation: updated }), "none");
});

test("a file that tells nothing is not taken for this member's", async () => {
  await using subject = await volume();
  await mkdir(subject.paths.root, { recursive: true });
  await writeFile(join(subject.paths.root, VOLUME_OWNER), "{");
  assert.match(await subject.refusal({}), /does not tell whose volume this is/);
});

test("a volume or data of another user is told with that user, and what to do", async () => {
  await using subject = await volume();
  const { root, data } = subject.paths;
  await mkdir(data, { recursive: true });
  // Root alone can give a directory away, and root alone can write everywhere.
  if (ROOT) {
    await chown(data, 70, 70);
    assert.match(
      await subject.refusal({ uid: 999 }),
      /belongs to user 70, and PostgreSQL runs as user 999. .* or say spec\.postgres\.uid: 70/,
    );
  } else {
    await chmod(root, 0o500);
    assert.match(await subject.refusal({}), /^DIRECTORY_NOT_WRITABLE: .*EACCES.*belongs to user/);
    await chmod(root, 0o700);
  }
});
