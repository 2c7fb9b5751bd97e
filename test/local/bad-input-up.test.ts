// Wishes for a new cluster that cannot be fulfilled: each is refused before anything is made.
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { ErrorCode } from "../../src/core/errors.ts";
import { installationFor } from "../support/installations.ts";
import { takePortBlock, type PortBlock } from "../support/port-block.ts";
import { testUser } from "../support/test-user.ts";
import { assertRefused, treeOf, understudy } from "./refusal.ts";

const isRoot = process.getuid?.() === 0;

describe("up refuses, and makes nothing, when", () => {
  let root = "";
  let pgBin = "";
  let ports: PortBlock;

  before(async () => {
    root = await mkdtemp(join(await realpath(tmpdir()), "understudy-bad-"));
    // Root's clusters belong to another user, who must be able to come here.
    await chmod(root, 0o755);
    pgBin = (await installationFor(15)).binDir;
    ports = await takePortBlock();
  });

  after(async () => {
    await rm(root, { recursive: true, force: true });
    await ports[Symbol.asyncDispose]();
  });

  async function refuses(args: readonly string[], of: { code: ErrorCode; says: RegExp }) {
    const dir = ["--dir", join(root, "new")];
    const complete = args.includes("--dir") ? args : [...args, ...dir];
    return await assertRefused({ args: ["up", ...complete], ...of }, root);
  }

  /** With binaries that are there, so that they are not what is wrong. */
  async function refusesWish(args: readonly string[], of: { code: ErrorCode; says: RegExp }) {
    return refuses(["--pg-bin", pgBin, "--port", String(ports.first), ...args], of);
  }

  it("the major is not one that there is", async () => {
    for (const major of ["9", "19", "x", "15.1.1"]) {
      const says = new RegExp(`"${major}" is no PostgreSQL major version`);
      const error = await refuses(["--postgres", major], { code: "MAJOR_UNKNOWN", says });
      assert.match(error.hint, /10, 11, .* 18/);
    }
  });

  it("the binaries are not there, or not PostgreSQL's, or of another major than asked for", async () => {
    for (const dir of [join(root, "nowhere"), tmpdir()])
      await refuses(["--pg-bin", dir], {
        code: "POSTGRES_UNUSABLE",
        says: new RegExp(`${dir}.*postgres and initdb are not there`),
      });
    await refuses(["--pg-bin", pgBin, "--postgres", "14"], {
      code: "POSTGRES_UNUSABLE",
      says: /15\..*14/,
    });
  });

  it("an option is empty, as an unset variable of a script leaves it", async () => {
    for (const option of ["--pg-bin", "--dir", "--user", "--locale"])
      await refuses([option, ""], { code: "USAGE", says: /value is empty/ });
  });

  it("the name is none", async () => {
    const long = "a".repeat(64);
    for (const [name, says] of [
      ["a b", /not " "/],
      ["a.b", /not "\."/],
      ["../x", /must begin with a lower-case letter/],
      ["a/../x", /not "\/"/],
      [long, /64 characters, at most 40/],
      ["", /it is empty/],
      ["1a", /must begin with a lower-case letter/],
      ["Demo", /must begin with a lower-case letter/],
      ["a-", /must not end with a hyphen/],
    ] as const)
      await refuses([`--name=${name}`], { code: "NAME_INVALID", says });
    await refuses(["--dir", join(root, "new"), "--name=../../x"], {
      code: "NAME_INVALID",
      says: /cannot be a cluster name/,
    });
  });

  it("the number of standbys, a port or a limit is none", async () => {
    for (const count of ["-1", "x", "200", "1.5", ""])
      await refuses([`--standbys=${count}`], {
        code: "USAGE",
        says: new RegExp(`--standbys "${count}" is no whole number from 0 to 16`),
      });
    for (const port of ["0", "80", "x", "31768", "99999"])
      await refuses([`--port=${port}`], {
        code: "USAGE",
        says: /is no whole number from 1024 to 31767/,
      });
    for (const limit of ["0", "x", "-5", "8d"])
      await refuses([`--timeout=${limit}`], { code: "USAGE", says: /is no duration/ });
  });

  it("a port that was asked for is taken", async () => {
    const server = createServer();
    const taken = ports.first + 2;
    await new Promise<void>((resolve) => server.listen(taken, "127.0.0.1", resolve));
    try {
      const says = new RegExp(`port ${taken} on 127.0.0.1 is in use.*${ports.first} to ${taken}`);
      await refusesWish([], { code: "PORT_TAKEN", says });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("a parameter is unknown, mistyped, out of range, managed, or no setting at all", async () => {
    for (const [param, code, says] of [
      ["nosuch=1", "PARAMETER_UNKNOWN", /PostgreSQL 15 has no parameter "nosuch"$/],
      ["a=b=c", "PARAMETER_UNKNOWN", /no parameter "a"/],
      ["shared_bufers=1GB", "PARAMETER_UNKNOWN", /did you mean shared_buffers\?/],
      ["work_mem=lots", "PARAMETER_INVALID", /work_mem to "lots".*from 64 to \d+ in units of kB/],
      ["work_mem=1", "PARAMETER_INVALID", /outside the valid range/],
      ["log_min_messages=loud", "PARAMETER_INVALID", /one of debug5, .*panic/],
      ["port=5", "PARAMETER_MANAGED", /cannot set port: Understudy sets it itself, because/],
      ["hot_standby=off", "PARAMETER_MANAGED", /cannot set hot_standby/],
      ["wal_level=minimal", "PARAMETER_INVALID", /must be replica or logical, because/],
      ["search_path=a\nport=1", "PARAMETER_INVALID", /cannot hold a line break/],
      ["=x", "USAGE", /"=x" is no setting: write name=value/],
      ["x", "USAGE", /"x" is no setting: write name=value/],
      ["a b=1", "USAGE", /is no setting/],
    ] as const)
      await refusesWish(["--param", param], { code, says });
  });

  it("a library to preload is not installed, or no library's name", async () => {
    const missing = await refusesWish(["--preload", "pg_stat_statement"], {
      code: "PRELOAD_MISSING",
      says: /no such library in .*did you mean pg_stat_statements\?/,
    });
    assert.match(missing.hint, /choose one of those there: .*pg_stat_statements/);
    await refusesWish(["--preload", "nosuch-a,nosuch-b"], {
      code: "PRELOAD_MISSING",
      says: /"nosuch-a"/,
    });
    for (const name of ["../evil", "/etc/passwd", "", "a b", "a'b"])
      await refusesWish([`--preload=${name}`], { code: "USAGE", says: /is no library's name/ });
  });

  it("a second member's part of the wish is wrong: the command line is read to its end", async () => {
    await refuses(["--nosuch"], { code: "USAGE", says: /unknown option "--nosuch"/ });
    await refuses(["--standbys"], { code: "USAGE", says: /--standbys needs a value/ });
    await refuses(["too", "many"], { code: "USAGE", says: /"up" takes no word behind it/ });
  });

  it("the system has no such locale", async () => {
    const says = /cannot make data with the locale "xx_YY": invalid locale name "xx_YY"/;
    await refusesWish(["--locale", "xx_YY"], { code: "LOCALE_UNUSABLE", says });
  });

  it("the data cannot be made: the beginnings are taken away again", async () => {
    const dir = join(root, "stillborn");
    const broken = await withoutInitdb(join(root, "broken"), pgBin);
    const wish = ["up", "--dir", dir, "--pg-bin", broken, "--port", String(ports.first)];
    const says = /initdb ended with status 1: .*as asked.*nothing is left of it/;
    await assertRefused({ args: [...wish, "--standbys", "0"], code: "INITDB_FAILED", says }, root);
    assert.deepEqual(await treeOf(dir), ["absent"]);
    await rm(broken, { recursive: true });
  });

  describe("the directory", () => {
    it("is not empty and not ours", async () => {
      const dir = join(root, "photos");
      await mkdir(dir);
      await writeFile(join(dir, "cat.jpg"), "meow");
      await refuses(["--dir", dir], { code: "DIRECTORY_NOT_OURS", says: /"cat.jpg" is in it/ });
      await rm(dir, { recursive: true });
    });

    it("holds data whose cluster.json is lost", async () => {
      const dir = join(root, "lost");
      await mkdir(join(dir, "members", "demo-1", "data"), { recursive: true });
      await writeFile(join(dir, "members", "demo-1", "data", "PG_VERSION"), "15\n");
      const says = /holds data, but .*cluster\.json is missing; nothing was changed/;
      await refuses(["--dir", dir], { code: "DIRECTORY_NOT_OURS", says });
      await rm(dir, { recursive: true });
    });

    it("is a file, or below one", async () => {
      const file = join(root, "file");
      await writeFile(file, "");
      for (const dir of [file, join(file, "deeper")])
        await refuses(["--dir", dir], { code: "DIRECTORY_NOT_OURS", says: /is a file/ });
      await rm(file);
    });

    it("can never be made: the system's own", async () => {
      const args = [
        "--dir",
        "/proc/understudy/demo",
        "--pg-bin",
        pgBin,
        "--port",
        `${ports.first}`,
      ];
      await refuses(args, { code: "DIRECTORY_NOT_WRITABLE", says: /\/proc/ });
    });

    it("is below one that PostgreSQL's user may not enter, as /root is", async () => {
      const closed = join(root, "closed");
      await mkdir(closed, { mode: 0o700 });
      const user = isRoot ? await testUser() : undefined;
      if (!isRoot) await chmod(closed, 0o000);
      const says = /may not enter .*closed \(mode 0\d00, owned by user \d+\)/;
      await refuses(["--dir", join(closed, "deep", "x")], { code: "DIRECTORY_NOT_WRITABLE", says });
      // No less for a command that only reads, by somebody who may not.
      const reading = ["status", "--dir", join(closed, "deep", "x")];
      await assertRefused({ args: reading, user, code: "DIRECTORY_NOT_WRITABLE", says }, root);
      // And as that user itself, to whom the place is not writable.
      const args = ["up", "--dir", join(root, "sealed")];
      const refusal = {
        args,
        user,
        code: "DIRECTORY_NOT_WRITABLE",
        says: /may not write to/,
      } as const;
      if (!isRoot) await chmod(root, 0o555);
      await assertRefused(refusal, root);
      await chmod(root, 0o755);
      await chmod(closed, 0o700);
      await rm(closed, { recursive: true });
    });
  });

  it("root has no user to run PostgreSQL as, or a user names another", async () => {
    const [code, root_, nosuch] = isRoot
      ? (["NO_USABLE_USER", /root, which PostgreSQL refuses/, /"nosuch".*no such user/] as const)
      : (["NO_USABLE_USER", /cannot run PostgreSQL as/, /cannot run PostgreSQL as/] as const);
    await refuses(["--user", "root"], { code, says: root_ });
    await refuses(["--user", "nosuch"], { code, says: nosuch });
  });

  it("there are two at the same moment: one makes the cluster, the other says so", async () => {
    const dir = join(root, "race");
    const args = ["up", "--dir", dir, "--pg-bin", pgBin, "--standbys", "0", "-o", "json"];
    const both = await Promise.all([understudy(args), understudy(args)]);
    try {
      const [won, lost] = both.toSorted((one, other) => (one.status ?? 9) - (other.status ?? 9));
      assert.equal(won?.status, 0, won?.stderr);
      assert.equal(lost?.status, 5, lost?.stderr);
      assert.match(lost?.stderr ?? "", /"OPERATION_IN_PROGRESS".*another command is changing demo/);
    } finally {
      const down = await understudy(["down", "--delete", "--yes", "--dir", dir]);
      assert.equal(down.status, 0, down.stderr);
    }
    assert.deepEqual(await treeOf(dir), ["absent"]);
  });

  it("without --port a taken one is passed over, and said", async () => {
    const server = createServer();
    const dir = join(root, "passed");
    // Where the default is taken already by somebody else, that does as well.
    await new Promise<void>((resolve) => {
      server.once("error", () => resolve());
      server.listen(6431, "127.0.0.1", resolve);
    });
    try {
      const up = await understudy(["up", "--dir", dir, "--pg-bin", pgBin, "--standbys", "0"]);
      assert.equal(up.status, 0, up.stderr);
      assert.match(up.stderr, /ports? 6431.* in use, the members take \d+/);
      assert.doesNotMatch(up.stdout, /:6431/);
    } finally {
      server.close();
      await understudy(["down", "--delete", "--yes", "--dir", dir]);
    }
    assert.deepEqual(await treeOf(dir), ["absent"]);
  });

  it("a home is missing, relative or not writable: the default place is still a named one", async () => {
    const user = await testUser();
    const PATH = process.env["PATH"] ?? "";
    const status = await understudy(["status", "-o", "json"], { env: { PATH }, user });
    assert.equal(status.status, 3, status.stderr);
    const relative = { args: ["up"], env: { PATH, XDG_DATA_HOME: "data" }, cwd: root } as const;
    const says = /XDG_DATA_HOME.*"data".*absolute/;
    await assertRefused({ ...relative, code: "USAGE", says }, root);
    const sealed = join(root, "sealed-home");
    await mkdir(sealed, { mode: 0o555 });
    await assertRefused(
      {
        args: ["up"],
        env: { PATH, XDG_DATA_HOME: sealed },
        user,
        code: "DIRECTORY_NOT_WRITABLE",
        says: /may not write to .*sealed-home/,
      },
      root,
    );
    await rm(sealed, { recursive: true });
  });

  it("nothing of all this has left anything", async () => {
    assert.deepEqual(await readdir(root), []);
  });
});

/** An installation that is sound but for its initdb, which makes nothing. */
async function withoutInitdb(dir: string, pgBin: string): Promise<string> {
  await mkdir(dir);
  for (const name of await readdir(pgBin))
    if (name !== "initdb") await symlink(join(pgBin, name), join(dir, name));
  const script = [
    "#!/bin/sh",
    `[ "$1" = --version ] && exec ${join(pgBin, "initdb")} --version`,
    'echo "initdb: error: as asked" >&2',
    "exit 1",
  ];
  await writeFile(join(dir, "initdb"), `${script.join("\n")}\n`, { mode: 0o755 });
  return dir;
}
