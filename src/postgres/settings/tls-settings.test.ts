import assert from "node:assert/strict";
import { test } from "node:test";
import { SAMPLE } from "../../../test/support/settings-context.ts";
import { SUPPORTED_MAJORS } from "../../core/spec.ts";
import { effectiveSettings } from "./managed.ts";
import { renderPrimaryConninfo } from "./primary-conninfo.ts";
import { renderHba } from "./render-hba.ts";
import { renderIdent } from "./render.ts";

const TLS = { server: "/run/a/server.pem", client: "/run/a/client.pem", trusted: "/run/a/ca.pem" };
const UPSTREAM = { name: "izdb-1", host: "10.0.0.1", port: 5432 };

test("a server with certificates speaks TLS by them, and nobody else's settings change that", () => {
  for (const major of SUPPORTED_MAJORS) {
    const settings = effectiveSettings({ ...SAMPLE, major, tls: TLS }, {});
    assert.equal(settings.get("ssl"), "on");
    assert.equal(settings.get("ssl_key_file"), TLS.server);
    assert.equal(settings.get("ssl_ca_file"), TLS.trusted);
    assert.equal(settings.has("ssl_min_protocol_version"), major >= 12);
  }
  assert.throws(() => effectiveSettings({ ...SAMPLE, tls: TLS }, { SSL: "off" }), {
    code: "PARAMETER_MANAGED",
    message: /^cannot set ssl: Understudy sets it itself, because /,
  });
});

test("without them it is its user's own", () => {
  const settings = effectiveSettings(SAMPLE, { ssl: "on", ssl_ca_file: "mine" });
  assert.equal(settings.get("ssl_ca_file"), "mine");
  assert.equal(effectiveSettings(SAMPLE, {}).has("ssl"), false);
});

test("a standby follows a member of a name, wherever that is, and shows its own certificate", () => {
  const text = renderPrimaryConninfo({ ...SAMPLE, tls: TLS }, UPSTREAM);
  assert.match(text, /^host='izdb-1' hostaddr='10\.0\.0\.1' port='5432' /);
  assert.match(
    text,
    / sslmode='verify-full' sslrootcert='\/run\/a\/ca\.pem' sslcert='\/run\/a\/client\.pem' sslkey='\/run\/a\/client\.pem' /,
  );
});

test("one that has certificates itself follows nobody without, and tells no password", () => {
  for (const major of SUPPORTED_MAJORS) {
    const text = renderPrimaryConninfo({ ...SAMPLE, major, tls: TLS }, UPSTREAM);
    assert.doesNotMatch(text, /prefer/);
    assert.equal(/ require_auth='none' /.test(text), major >= 16, `${major}`);
  }
});

test("on one machine members follow each other without", () => {
  const text = renderPrimaryConninfo({ ...SAMPLE, major: 18 }, UPSTREAM);
  assert.match(text, /^host='10\.0\.0\.1' port='5432' .* sslmode='prefer' /);
  assert.doesNotMatch(text, /require_auth|izdb-1/);
});

test("members log in by certificate alone, applications by password over TLS, and the administrator from here", () => {
  const text = renderHba({
    memberHosts: ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
    ownHost: "10.0.0.1",
    replicationUser: "repl",
    rewindUser: "rewind",
    adminUser: "admin",
    copiesLogicalSlots: true,
    applicationNetworks: ["10.0.0.0/8"],
    isByTls: true,
  });
  const rules = text.split("\n").filter((line) => line.startsWith("host"));
  for (const rule of rules) {
    const [type, , user, , method, map] = rule.split(" ");
    if (method === "reject") continue;
    if (user === '"admin"') {
      assert.deepEqual([type, method], ["host", "scram-sha-256"], rule);
      continue;
    }
    assert.equal(type, "hostssl", rule);
    if (user === "all") assert.equal(method, "scram-sha-256", rule);
    else assert.deepEqual([method, map], ["cert", "map=understudy"], rule);
  }
  const of = (user: string) => rules.filter((rule) => rule.includes(user) && / cert /.test(rule));
  assert.deepEqual([of("repl").length, of("rewind").length], [6, 3]);
});

test("the members' certificate logs in as our roles and as nobody else", () => {
  const text = renderIdent({ name: "understudy_replication", roles: ["repl", "rewind"] });
  assert.deepEqual(text.split("\n").slice(1), [
    "understudy understudy_replication repl",
    "understudy understudy_replication rewind",
    "",
  ]);
  assert.doesNotMatch(renderIdent(null), /^[^#]/m);
});
