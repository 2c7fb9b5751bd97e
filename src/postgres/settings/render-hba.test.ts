import assert from "node:assert/strict";
import { test } from "node:test";
import { isClosedHba, renderHba } from "./render-hba.ts";

const OPTIONS = {
  memberHosts: ["10.0.0.1", "10.0.0.2", "10.0.0.2", "fd00::3", "db-4.example"],
  ownHost: "10.0.0.1",
  replicationUser: "repl",
  adminUser: "admin",
};

function rules(options: Parameters<typeof renderHba>[0]): string[][] {
  const lines = renderHba(options).split("\n");
  return lines
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(" "));
}

test("nothing trusts, nothing takes md5, and nothing is open to the world", () => {
  for (const [type, , , address, method] of rules(OPTIONS)) {
    assert.equal(type, "host");
    assert.ok(method === "scram-sha-256" || method === "reject");
    if (method !== "reject") assert.doesNotMatch(address ?? "", /^(all|0\.0\.0\.0|::)(\/|$)/);
  }
});

test("only our role replicates, and only from the members", () => {
  const replicating = rules(OPTIONS).filter(
    ([, database, , , method]) => database === "replication" && method !== "reject",
  );
  assert.deepEqual(
    replicating.map(([, , user, address]) => [user, address]),
    [
      ['"repl"', "10.0.0.1/32"],
      ['"repl"', "10.0.0.2/32"],
      ['"repl"', "fd00::3/128"],
      ['"repl"', "db-4.example"],
    ],
  );
});

test("the replication role opens no database and the administrator comes from this machine only", () => {
  const all = rules(OPTIONS);
  const first = (user: string, address: string) =>
    all.find(
      ([, database, who, from]) =>
        database === "all" &&
        (who === user || who === "all") &&
        (from === address || from === "all"),
    )?.[4];
  assert.equal(first('"repl"', "127.0.0.1/32"), "reject");
  assert.equal(first('"admin"', "127.0.0.1/32"), "scram-sha-256");
  assert.equal(first('"admin"', "10.0.0.1/32"), "scram-sha-256");
  assert.equal(first('"admin"', "10.0.0.2/32"), "reject");
  assert.equal(first('"app"', "127.0.0.1/32"), "scram-sha-256");
  assert.equal(first('"app"', "10.0.0.2/32"), undefined);
});

test("the rewind role comes to one database, from the members only", () => {
  const lines = rules({ ...OPTIONS, rewindUser: "rewind" });
  const own = lines.filter(([, , user]) => user === '"rewind"');
  assert.deepEqual(
    own.filter(([, , , , method]) => method !== "reject").map(([, db, , from]) => [db, from]),
    [
      ["postgres", "10.0.0.1/32"],
      ["postgres", "10.0.0.2/32"],
      ["postgres", "fd00::3/128"],
      ["postgres", "db-4.example"],
    ],
  );
  assert.deepEqual(own.slice(-2), [
    ["host", "all", '"rewind"', "all", "reject"],
    ["host", "replication", '"rewind"', "all", "reject"],
  ]);
  const applications = lines.findIndex(([, , user]) => user === "all");
  assert.ok(lines.lastIndexOf(own.at(-1) ?? []) < applications, "before the line for everybody");
});

test("applications come from the networks that are named, and no network is the whole world", () => {
  const applications = rules({ ...OPTIONS, applicationNetworks: ["192.0.2.0/24"] }).filter(
    ([, , user]) => user === "all",
  );
  assert.deepEqual(applications, [["host", "all", "all", "192.0.2.0/24", "scram-sha-256"]]);
  for (const network of ["0.0.0.0/0", "::/0", "192.0.2.0", "all", "10.0.0.0/33", "a b/8"])
    assert.throws(() => renderHba({ ...OPTIONS, applicationNetworks: [network] }), {
      code: "INTERNAL",
    });
});

test("a host that is a word of pg_hba.conf or no host at all is refused", () => {
  for (const host of ["all", "samenet", "a b", "", "10.0.0.1/0", "-x"])
    assert.throws(() => renderHba({ ...OPTIONS, memberHosts: [host] }), { code: "INTERNAL" });
});

test("closed, it lets the cluster's own roles in and nobody else", () => {
  const closed = { ...OPTIONS, rewindUser: "rewind", isClosed: true };
  const open = { ...closed, isClosed: false };
  const own = (options: typeof closed) => rules(options).filter(([, , user]) => user !== "all");
  assert.deepEqual(own(closed), own(open));
  assert.deepEqual(
    rules(closed).filter(([, , user]) => user === "all"),
    [["host", "all", "all", "all", "reject"]],
  );
  assert.equal(isClosedHba(renderHba(closed)), true);
  assert.equal(isClosedHba(renderHba(open)), false);
});
