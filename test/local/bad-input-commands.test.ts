// Commands that cannot do what they are asked on a cluster that is there: running, half dead,
// stopped, and with damaged files.
import assert from "node:assert/strict";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import type { ErrorCode } from "../../src/core/errors.ts";
import { markerPath } from "../../src/postgres/base-backup/marker.ts";
import { installationFor } from "../support/installations.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertRefused, understudy } from "./refusal.ts";

describe("without a cluster", () => {
  it("every command says so and where it looked, and makes nothing", async () => {
    const dir = join("/tmp", `understudy-none-${process.pid}`);
    for (const command of [
      "status|psql|sql SELECT|switchover|url|param show|logs|events|restart|reload|failover|down",
      "standby add|standby remove t-1|reclone t-1|param set work_mem=64MB|down --delete --yes",
    ].flatMap((line) => line.split("|")))
      await assertRefused(
        {
          args: [...command.split(" "), "--dir", dir, "--name", "shop"],
          code: "CLUSTER_NOT_FOUND",
          says: new RegExp(`there is no cluster shop in ${dir}$`),
          hint: new RegExp(`^Make one: understudy --dir ${dir} --name shop up$`),
        },
        dir,
      );
  });
});

describe("of a cluster", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 2 });
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  async function refuses(command: string, of: { code: ErrorCode; says: RegExp; hint?: RegExp }) {
    const args = [...command.split(" "), "--dir", cluster.dir];
    return await assertRefused({ args, ...of }, cluster.dir);
  }

  it("the directory of one is not that of another", async () => {
    for (const command of ["up", "status", "down --delete --yes"])
      await refuses(`${command} --name other`, {
        code: "DIRECTORY_OTHER_CLUSTER",
        says: /holds the cluster t, not other/,
      });
  });

  it("a member that is not known is answered with those that are", async () => {
    for (const command of [
      "switchover --to|reclone --yes|standby remove --yes|logs|url --member|restart|psql --member",
      "failover --dry-run --to|fence|unfence|member show|switchover --at 03:00 --to",
    ].flatMap((line) => line.split("|")))
      await refuses(`${command} t-9`, {
        code: "MEMBER_NOT_FOUND",
        says: /the cluster t has no member "t-9"/,
        hint: /t-1, t-2, t-3/,
      });
    await refuses("standby add ../x", { code: "NAME_INVALID", says: /cannot be a member name/ });
    await refuses("standby add t-2", { code: "MEMBER_EXISTS", says: /has a member t-2 already/ });
    await refuses("standby add t-2 --from t-9", {
      code: "MEMBER_EXISTS",
      says: /has a member t-2 already/,
    });
    await refuses("standby add t-4 --from t-9", {
      code: "MEMBER_NOT_FOUND",
      says: /the cluster t has no member "t-9"/,
      hint: /t-1, t-2, t-3/,
    });
  });

  it("a standby is not added that could not stream as it is told to", async () => {
    await refuses("standby add t-4 --from t-4", {
      code: "REFUSED",
      says: /^t-4 cannot stream from itself; nothing was changed$/,
      hint: /t-1, t-2, t-3/,
    });
    await refuses("standby add --from t-4", { code: "REFUSED", says: /cannot stream from itself/ });
    await refuses("standby add t-4 --from ../x", {
      code: "NAME_INVALID",
      says: /cannot be a member name/,
    });
    for (const delay of ["soon", "-1h", "30d", "1"])
      await refuses(`standby add t-4 --delay ${delay}`, {
        code: "USAGE",
        says: /delay takes a duration such as 1h, or none, not "/,
      });
    await refuses("member set t-2 from=t-2", {
      code: "REFUSED",
      says: /members cannot stream in a circle: t-2 from t-2; nothing was changed/,
    });
  });

  it("the primary is kept from what would destroy it", async () => {
    await refuses("switchover --to t-1", {
      code: "SWITCHOVER_REFUSED",
      says: /cannot switch over to t-1: it is the primary already/,
    });
    for (const command of ["failover", "failover --yes", "failover --to t-2 --yes"])
      await refuses(command, {
        code: "FAILOVER_REFUSED",
        says: /t-1 is the primary and alive; nothing was changed/,
        hint: /switchover/,
      });
    await refuses("reclone t-1 --yes", {
      code: "PRIMARY_PROTECTED",
      says: /cannot reclone t-1: it is the primary/,
    });
    await refuses("standby remove t-1 --yes", {
      code: "PRIMARY_PROTECTED",
      says: /cannot remove t-1: it is the primary/,
    });
  });

  it("what destroys something is not done where nobody can be asked", async () => {
    for (const command of ["down --delete", "reclone t-2", "standby remove t-2"])
      await refuses(command, {
        code: "CONFIRMATION_NEEDED",
        says: /^this would .*, and there is no terminal to ask on$/,
        hint: /--yes/,
      });
  });

  it("parameters are checked by the running server", async () => {
    for (const [command, code, says] of [
      ["set nosuch=1", "PARAMETER_UNKNOWN", /no parameter "nosuch"$/],
      ["set wrk_mem=3MB", "PARAMETER_UNKNOWN", /did you mean work_mem\?/],
      ["set work_mem=1", "PARAMETER_INVALID", /outside the valid range/],
      ["set port=3", "PARAMETER_MANAGED", /Understudy sets it itself/],
      ["set --reset wrk_mem", "PARAMETER_UNKNOWN", /did you mean work_mem\?/],
      ["show wrk_mem", "PARAMETER_UNKNOWN", /did you mean work_mem\?/],
      ["set x", "USAGE", /is no setting/],
      ["set =x", "USAGE", /is no setting/],
      ["set", "USAGE", /there is nothing to set/],
    ] as const)
      await refuses(`param ${command}`, { code, says });
  });

  it("a command line that is none gets the nearest that is one", async () => {
    for (const [command, says, hint] of [
      ["statsu", /unknown command "statsu"/, /Did you mean status\?/],
      ["standby ad", /unknown command "ad"/, /Did you mean add\?/],
      ["status --wacth", /unknown option "--wacth"/, /Did you mean --watch\?/],
      ["standby", /"standby" needs another word/, /help standby/],
      ["reclone", /a word is missing behind the command: <member>/, /reclone --help/],
      ["switchover --to", /--to needs a value: <member>/, /switchover --help/],
      ["status --watch=0", /is no duration/, /./],
      ["down --timeout 0", /is no duration/, /./],
      ["logs -n x", /--lines "x" is no whole number/, /./],
    ] as const) {
      // Before --dir, which a missing value would swallow.
      const args = ["--dir", cluster.dir, ...command.split(" ")];
      await assertRefused({ args, code: "USAGE", says, hint }, cluster.dir);
    }
    const xml = await understudy(["status", "-o", "xml", "--dir", cluster.dir]);
    assert.equal(xml.status, 2);
    assert.match(xml.stderr, /"xml" is no output format: choose one of table, wide, json/);
  });

  it("up with another shape is refused, naming the command that changes it", async () => {
    for (const [wish, code, says, hint] of [
      ["--standbys 5", "REFUSED", /t has 2 standbys, not 5/, /standby add/],
      ["--port 2000", "REFUSED", /has its ports from/, /Leave --port away/],
      ["--postgres 14", "BINARIES_DIFFER", /data of PostgreSQL 15/, /Leave --postgres away/],
      ["--param work_mem=5MB", "REFUSED", /work_mem/, /param set work_mem=5MB/],
      ["--preload auto_explain", "REFUSED", /preloads nothing/, /--name/],
      ["--user nosuch", "REFUSED", /not as nosuch/, /Leave --user away/],
      ["--locale xx_YY", "REFUSED", /locale C.UTF-8, not xx_YY/, /Leave --locale away/],
      ["--pg-bin /nowhere", "POSTGRES_UNUSABLE", /in \/nowhere cannot be used/, /--pg-bin/],
    ] as const)
      await refuses(`up ${wish}`, { code, says, hint });
    const { binDir } = await installationFor(14);
    await refuses(`up --pg-bin ${binDir}`, { code: "BINARIES_DIFFER", says: /14.*15|15.*14/ });
  });

  it("a control request without the cluster's token is refused and changes nothing", async () => {
    const { stdout } = await understudy(["status", "--json", "--dir", cluster.dir]);
    const earlier = JSON.parse(stdout);
    const api = JSON.parse(await readFile(cluster.paths("t-1").address, "utf8"));
    for (const path of ["/switchover", "/restart", "/reload", "/reclone", "/shut-down"])
      for (const authorization of ["Bearer wrong", "Bearer ", "", undefined])
        assert.deepEqual(await post({ port: api.apiPort, path, authorization }), {
          status: 401,
          code: "UNAUTHORIZED",
        });
    const now = await cluster.status();
    assert.equal(now.term, earlier.term);
    assert.equal(memberOf(now, "t-1").pid, memberOf(earlier, "t-1").pid);
  });

  it("nobody switches over to a member that lags, or that is gone", async () => {
    await cluster.ok(["sql", "SELECT pg_wal_replay_pause()", "--member", "t-2", "--as-superuser"]);
    const filled = "SELECT pg_logical_emit_message(false, 'x', repeat('x', 20000000))";
    await cluster.ok(["sql", filled, "--as-superuser"]);
    await cluster.until(
      "t-2 has received it",
      (status) => (memberOf(status, "t-2").replayLagBytes ?? 0) > 16 * 1024 * 1024,
    );
    await refuses("switchover --to t-2", {
      code: "SWITCHOVER_REFUSED",
      says: /cannot switch over to t-2: t-2 is \d+ bytes behind, at most \d+ are allowed|catching-up/,
    });
    await cluster.ok(["sql", "SELECT pg_wal_replay_resume()", "--member", "t-2", "--as-superuser"]);
    await cluster.untilHealthy();

    await cluster.killMember("t-2");
    await refuses("switchover --to t-2", {
      code: "SWITCHOVER_REFUSED",
      says: /cannot switch over to t-2: the agent of t-2 does not answer/,
    });
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
  });

  it("a specification or record that cannot be read is named, and nothing is touched", async () => {
    const file = join(cluster.dir, "cluster.json");
    await rename(file, `${file}.kept`);
    try {
      for (const [text, says] of [
        ["", /cluster\.json/],
        ["{", /cluster\.json/],
        ['{"specification": 5}', /cluster\.json is wrong at "installation": it is missing/],
      ] as const) {
        await writeFile(file, text);
        for (const command of ["status", "up", "down", "down --delete --yes"])
          await refuses(command, { code: "SPEC_CORRUPT", says });
      }
      await rm(file);
      for (const command of ["status", "down --delete --yes"])
        await refuses(command, { code: "CLUSTER_NOT_FOUND", says: /there is no cluster/ });
      const says = /holds data, but .*cluster\.json is missing; nothing was changed/;
      await refuses("up", { code: "DIRECTORY_NOT_OURS", says });
    } finally {
      await rename(`${file}.kept`, file);
    }
    await cluster.untilHealthy();
  });

  describe("that is stopped", () => {
    before(async () => {
      await cluster.ok(["down"]);
    });

    it("every command that needs it running says how to start it", async () => {
      for (const command of [
        "psql|sql SELECT|switchover|param show|param set work_mem=1MB|standby add|restart|reload",
        "reclone t-2 --yes",
      ].flatMap((line) => line.split("|")))
        await refuses(command, {
          code: "CLUSTER_NOT_RUNNING",
          says: /^t is not running$/,
          hint: /^Start it: understudy --dir \S+ up$/,
        });
      await refuses("failover --yes", {
        code: "FAILOVER_REFUSED",
        says: /no standby of t is up/,
        hint: /up/,
      });
    });

    it("status, url, events and logs still tell what they know, and down says so again", async () => {
      for (const command of ["status", "url", "events", "logs", "down"])
        await cluster.ok([command]);
      assert.equal((await cluster.run(["status", "--exit-code"])).status, 8);
    });

    it("a record that is damaged, empty or too new is named", async () => {
      const file = join(cluster.dir, "record.db");
      const kept = await readFile(file);
      const restore = async (text: Buffer) => {
        for (const end of ["-wal", "-shm"]) await rm(`${file}${end}`, { force: true });
        await writeFile(file, text);
      };
      try {
        await restore(Buffer.from("this is no database, it is a note about one".repeat(100)));
        await refuses("status", { code: "STORE_CORRUPT", says: /record\.db is damaged/ });
        await refuses("up", { code: "STORE_CORRUPT", says: /record\.db is damaged/ });
        for (const [body, code, says] of [
          ["{", "RECORD_CORRUPT", /is no JSON/],
          ['{"version":1}', "RECORD_CORRUPT", /cannot be understood at "cluster": it is missing/],
          ['{"version":2}', "RECORD_TOO_NEW", /version 2, this Understudy knows 1/],
        ] as const) {
          await restore(kept);
          using database = new DatabaseSync(file);
          database.prepare("UPDATE record SET body = ?").run(body);
          await refuses("status", { code, says });
          await refuses("up", { code, says });
        }
      } finally {
        await restore(kept);
      }
    });

    it("a standby's half-made data is never started: up copies it anew", async () => {
      const { data } = cluster.paths("t-3");
      await writeFile(markerPath(data), "half a marker");
      await rm(join(data, "global", "pg_control"));
      await cluster.ok(["up"]);
      const status = await cluster.untilHealthy();
      assert.equal(memberOf(status, "t-3").state, "streaming");
      const { stdout } = await cluster.run(["events"]);
      assert.ok(stdout.split('"cloned"').length > 3, stdout);
    });
  });

  it("a failover names what would be lost before it asks, and is not done where nobody can be asked", async () => {
    await cluster.ok(["pause"]);
    await cluster.killMember("t-1");
    const plan = JSON.parse(await cluster.ok(["failover", "--dry-run"]));
    assert.equal(plan.lossBytes, 0);
    const { term } = await cluster.status();
    await refuses("failover", {
      code: "CONFIRMATION_NEEDED",
      says: /^this would promote a standby without the old primary, and there is no terminal/,
      hint: /--yes/,
    });
    assert.equal((await cluster.status()).term, term);
    await cluster.ok(["up"]);
    await cluster.ok(["resume"]);
    await cluster.untilHealthy();
  });

  it("a directory that another member's name would take is not touched", async () => {
    const { data } = cluster.paths("t-7");
    await mkdir(data, { recursive: true });
    await writeFile(join(data, "precious"), "");
    await refuses("standby add t-7", { code: "DIRECTORY_NOT_OURS", says: /holds data already/ });
    await refuses("standby remove t-7 --yes", {
      code: "MEMBER_NOT_FOUND",
      says: /no member "t-7"/,
    });
    await rm(cluster.paths("t-7").root, { recursive: true });
  });
});

function post(call: {
  port: number;
  path: string;
  authorization: string | undefined;
}): Promise<{ status: number | undefined; code: unknown }> {
  const { port, path, authorization } = call;
  const headers = authorization === undefined ? {} : { authorization };
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method: "POST", headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode, code: JSON.parse(text).code }),
      );
    });
    sent.on("error", reject).end('{"to":"t-2"}');
  });
}
