// Unpacking hostile and damaged archives onto a real disk: nothing is ever written outside of the
// given directory.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, readlink, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { unpackBinaries } from "../../src/postgres/binaries/unpack-binaries.ts";

interface Member {
  readonly name: string;
  readonly body?: string;
  readonly type?: string;
  readonly linkName?: string;
}

/** A ustar archive; POSIX pax, "ustar Interchange Format". */
function tar(...members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ name, body = "", type = "0", linkName = "" }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write("0000644\0", 100);
    header.write(`${body.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("        ", 148);
    header.write(type, 156);
    header.write(linkName, 157, 100);
    header.write("ustar\x0000", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    const padded = Buffer.alloc(Math.ceil(body.length / 512) * 512);
    padded.write(body);
    return [header, padded];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

const LIBRARY: Member = { name: "package/native/lib/libicuuc.so.60.2", body: "icu" };

function links(...list: readonly { source: string; target: string }[]): Member {
  return { name: "package/native/pg-symlinks.json", body: JSON.stringify(list) };
}

/** @returns the directory that was unpacked into, alone in one of its own. */
async function unpack(t: TestContext, tarball: Buffer): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), "understudy-unpack-"));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const directory = join(parent, "tree");
  try {
    await unpackBinaries({ tarball, source: "the test's archive", directory });
  } finally {
    assert.deepEqual(await readdir(parent), ["tree"], "something was written outside");
  }
  return directory;
}

describe("unpacking binaries", () => {
  it("takes what lies in native, makes programs executable, and leaves out the rest", async (t) => {
    const directory = await unpack(
      t,
      tar(
        LIBRARY,
        { name: "package/native/bin/postgres", body: "program" },
        { name: "package/package.json", body: "{}" },
        { name: "package/scripts/hydrate-symlinks.js", body: "throw 1" },
      ),
    );
    assert.deepEqual((await readdir(directory)).toSorted(), ["bin", "lib"]);
    assert.equal((await stat(join(directory, "bin/postgres"))).mode & 0o777, 0o755);
    assert.equal((await stat(join(directory, "lib/libicuuc.so.60.2"))).mode & 0o777, 0o644);
  });

  it("makes the links that the package lists, relative, and the ones that its list forgets", async (t) => {
    const listed = links({
      source: "native/lib/libicuuc.so.60.2",
      target: "native/lib/libicuuc.so",
    });
    const directory = await unpack(t, tar(LIBRARY, listed));
    assert.equal(await readlink(join(directory, "lib/libicuuc.so")), "libicuuc.so.60.2");
    assert.equal(await readlink(join(directory, "lib/libicuuc.so.60")), "libicuuc.so.60.2");
    assert.equal(await readFile(join(directory, "lib/libicuuc.so.60"), "utf8"), "icu");
    assert.ok(!(await readdir(directory)).includes("pg-symlinks.json"));
  });

  it("refuses names and links that lead outside", async (t) => {
    const hostile: readonly Buffer[] = [
      tar(LIBRARY, { name: "package/native/../../../evil", body: "x" }),
      tar(LIBRARY, { name: "/tmp/evil", body: "x" }),
      tar(LIBRARY, links({ source: "native/lib/libicuuc.so.60.2", target: "native/../../evil" })),
      tar(LIBRARY, links({ source: "../../etc/passwd", target: "native/lib/passwd" })),
      tar(LIBRARY, links({ source: "native/lib/libicuuc.so.60.2", target: "/tmp/evil" })),
    ];
    for (const tarball of hostile)
      await assert.rejects(unpack(t, tarball), { code: "DOWNLOAD_CORRUPT" });
  });

  it("follows no link of the archive's own", async (t) => {
    const directory = await unpack(
      t,
      tar(
        LIBRARY,
        { name: "package/native/share", type: "2", linkName: "/tmp" },
        { name: "package/native/share/understudy-evil", body: "x" },
      ),
    );
    assert.ok((await stat(join(directory, "share"))).isDirectory());
    assert.deepEqual(await readdir(join(directory, "share")), ["understudy-evil"]);
  });

  it("refuses an archive that is cut off, or is none", async (t) => {
    const whole = tar(LIBRARY);
    for (const tarball of [whole.subarray(0, 60), Buffer.from("hello"), gzipSync("hello")])
      await assert.rejects(unpack(t, tarball), { code: "DOWNLOAD_CORRUPT" });
  });
});
