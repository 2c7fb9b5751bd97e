// The mode of PGDATA, on a real file system.
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { keepDataPrivate } from "../../src/agent/private-data.ts";

const UID = process.getuid?.() ?? 0;

async function volume() {
  const root = await mkdtemp(join(tmpdir(), "ust-private-"));
  const paths = { data: join(root, "data") };
  const modeOf = async () => (await stat(paths.data)).mode & 0o7777;
  const remove = () => rm(root, { recursive: true, force: true });
  return { paths, modeOf, [Symbol.asyncDispose]: remove };
}

test("what a volume's fsGroup has added is taken from PGDATA, and told", async () => {
  for (const mode of [0o2770, 0o770, 0o775, 0o705]) {
    await using subject = await volume();
    const { paths } = subject;
    await mkdir(paths.data);
    await chmod(paths.data, mode);
    const told = await keepDataPrivate({ paths, uid: UID, major: 18 });
    assert.match(told ?? "", new RegExp(`had mode 0${mode.toString(8)}, .* has 0700 now$`));
    assert.equal(await subject.modeOf(), 0o700);
  }
});

test("what PostgreSQL takes stays as it is, and so does another user's data and what is not there", async () => {
  await using subject = await volume();
  const { paths } = subject;
  assert.equal(await keepDataPrivate({ paths, uid: UID, major: 18 }), null);
  await mkdir(paths.data);
  await chmod(paths.data, 0o750);
  assert.equal(await keepDataPrivate({ paths, uid: UID, major: 18 }), null);
  assert.equal(await subject.modeOf(), 0o750);
  assert.match((await keepDataPrivate({ paths, uid: UID, major: 10 })) ?? "", /has 0700 now/);
  await chmod(paths.data, 0o770);
  assert.equal(await keepDataPrivate({ paths, uid: UID + 1, major: 18 }), null);
  assert.equal(await subject.modeOf(), 0o770);
});
