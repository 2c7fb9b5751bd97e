// The image as a file: always the same for the same sources, well formed, and what the
// Containerfile makes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { imageConfig, INPUTS } from "../../image/contents.ts";
import { read } from "../tidy/source-tree.ts";
import { buildImage } from "./built-image.ts";

const LIMIT_BYTES = 150e6;

describe("the image", () => {
  let scratch = "";
  let layout = "";
  let digest = "";

  before(() => {
    scratch = mkdtempSync(join(tmpdir(), "understudy-image-"));
    layout = join(scratch, "layout");
    const args = ["--output", layout, "--archive", join(scratch, "image.tar")];
    const built = buildImage([...args, "--name", "test.local/understudy:1"]);
    assert.equal(built.status, 0, built.stderr);
    digest = built.stdout.trim();
  });

  after(() => rmSync(scratch, { recursive: true, force: true }));

  const blob = (of: string) => readFileSync(join(layout, "blobs", of.replace(":", "/")));
  const document = (of: string) => JSON.parse(blob(of).toString("utf8"));

  it("is the same, byte by byte, when it is built again", () => {
    const again = join(scratch, "again");
    const built = buildImage(["--output", again, "--name", "test.local/understudy:1"]);
    assert.equal(built.status, 0, built.stderr);
    assert.equal(built.stdout.trim(), digest);
    execFileSync("diff", ["-r", layout, again]);
  });

  it("has every blob under its own digest, and layers that are what its configuration says", () => {
    const names = readdirSync(join(layout, "blobs/sha256"));
    assert.equal(names.length, 4, "a manifest, a configuration, two layers");
    for (const name of names) assert.equal(sha256(blob(`sha256:${name}`)), `sha256:${name}`);
    const [manifest] = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests;
    assert.equal(manifest.digest, digest);
    assert.equal(manifest.annotations["io.containerd.image.name"], "test.local/understudy:1");
    const { config, layers } = document(digest);
    const unpacked = layers.map((layer: { digest: string }) =>
      sha256(gunzipSync(blob(layer.digest))),
    );
    assert.deepEqual(document(config.digest).rootfs.diff_ids, unpacked);
    assert.equal(document(config.digest).created, "1970-01-01T00:00:00.000Z");
  });

  it("has files of root alone, of one time and in one order, of at most 150 MB together", () => {
    const { layers } = document(digest);
    let bytes = 0;
    for (const layer of layers) {
      const file = join(layout, "blobs", layer.digest.replace(":", "/"));
      const lines = tar(file, ["-tzv", "--numeric-owner", "--utc"]);
      const entries = lines
        .trim()
        .split("\n")
        .map((line) => line.split(/\s+/));
      const names = entries.map(([, , , , , name = ""]) => name.replace(/\/$/, ""));
      assert.deepEqual(names, [...names].sort());
      for (const [mode = "", owner, size, date] of entries) {
        assert.equal(`${owner} ${date}`, "0/0 1970-01-01");
        assert.match(mode, /^(l|d|-)(rwxrwxrwx|rwxr-xr-x|rw-r--r--|rwxrwxrwt)$/);
        bytes += Number(size);
      }
    }
    assert.ok(bytes > 50e6 && bytes < LIMIT_BYTES, `${bytes} bytes`);
  });

  it("is one file too, with what docker load reads", () => {
    const archive = join(scratch, "image.tar");
    const listed = tar(archive, ["-t"]).trim().split("\n");
    const [docker] = JSON.parse(tar(archive, ["-xO", "manifest.json"]));
    assert.deepEqual(docker.RepoTags, ["test.local/understudy:1"]);
    for (const path of [docker.Config, ...docker.Layers, "index.json", "oci-layout"])
      assert.ok(listed.includes(path), path);
  });

  it("is refused with one sentence where it cannot be made", () => {
    const nowhere = buildImage([]);
    assert.match(nowhere.stderr, /^no image: say where to: npm run image -- --output DIR/);
    assert.equal(nowhere.status, 1);
    assert.match(buildImage(["--output", scratch, "--name", "Ünder"]).stderr, /is no name such as/);
    const taken = buildImage(["--tree", scratch]);
    assert.match(taken.stderr, /exists; name a new directory\n$/);
    writeFileSync(join(scratch, "mine"), "");
    const mine = buildImage(["--output", scratch]);
    assert.match(mine.stderr, /no image: .* is not empty and no OCI layout/);
    assert.ok(existsSync(join(scratch, "mine")));
  });
});

describe("the Containerfile", () => {
  const lines = read("image/Containerfile").split("\n");
  const linesOf = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

  it("copies everything that the builder reads, and has the builder make the files", () => {
    const copied = linesOf("COPY").flatMap((line) => line.split(" ").slice(0, -1));
    const ofContext = copied.filter((word) => !word.startsWith("-") && !word.startsWith("/"));
    assert.deepEqual(ofContext.toSorted(), [...INPUTS]);
    assert.ok(linesOf("RUN").some((line) => line.includes("npm run image -- --tree /tree")));
    assert.ok(linesOf("COPY").includes("--from=build /tree/ /"));
  });

  it("configures the image as the builder does", () => {
    const { User, Env, Entrypoint } = imageConfig("0.0.0");
    assert.deepEqual(linesOf("USER"), [User]);
    assert.deepEqual(linesOf("ENV"), Env);
    assert.deepEqual(
      linesOf("ENTRYPOINT").map((line) => JSON.parse(line)),
      [Entrypoint],
    );
  });
});

function sha256(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function tar(file: string, args: readonly string[]): string {
  return execFileSync("tar", ["-f", file, ...args], { encoding: "utf8", maxBuffer: 1 << 24 });
}
