import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Secret } from "../../core/secret.ts";
import { psqlEnvironment } from "./psql.ts";

describe("psql's environment", () => {
  it("points at our server whatever the user's own variables say, and keeps the rest", () => {
    const target = {
      member: "demo-1",
      host: "127.0.0.1",
      port: 6431,
      user: "app",
      database: "app",
      password: new Secret("hunter2"),
    };
    const own = {
      PGHOSTADDR: "10.0.0.1",
      PGSERVICE: "other",
      PGSSLMODE: "require",
      PGPORT: "5432",
      PAGER: "less",
      EMPTY: undefined,
    };
    assert.deepEqual(psqlEnvironment(target, own), {
      PAGER: "less",
      PGHOST: "127.0.0.1",
      PGPORT: "6431",
      PGUSER: "app",
      PGDATABASE: "app",
      PGPASSWORD: "hunter2",
    });
  });
});
