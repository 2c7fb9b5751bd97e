import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { excerptAt, sqlError } from "./sql-error.ts";

const target = { member: "demo-1" };

describe("what PostgreSQL refused", () => {
  it("is shown with its SQLSTATE, its place and the server's own hint", () => {
    const thrown = Object.assign(new Error('relation "x" does not exist'), {
      code: "42P01",
      position: "15",
      hint: "Look around.",
    });
    const error = sqlError(thrown, { text: "SELECT * FROM x", target });
    assert.equal(error.code, "SQL_FAILED");
    assert.equal(
      error.message,
      'demo-1 refused the statement: relation "x" does not exist (SQLSTATE 42P01, at character 15)',
    );
    assert.equal(error.hint, "Look around.");
    assert.deepEqual(error.details, {
      sqlstate: "42P01",
      position: 15,
      excerpt: "LINE 1: SELECT * FROM x\n                      ^",
    });
  });

  it("tells the writer on a standby where writes go", () => {
    const thrown = Object.assign(new Error("read-only"), { code: "25006" });
    assert.match(sqlError(thrown, { text: "", target }).hint, /leave --read/);
  });

  it("tells who may not, but a superuser may, how to be one", () => {
    const refused = { code: "42501", hint: "Must be superuser to create this extension." };
    const thrown = Object.assign(new Error("permission denied to create extension"), refused);
    assert.match(sqlError(thrown, { text: "", target }).hint, /add --as-superuser/);
    const other = Object.assign(new Error("permission denied for table x"), { code: "42501" });
    assert.equal(sqlError(other, { text: "", target }).hint, "");
  });

  it("points at the right line, and counts characters as PostgreSQL does", () => {
    assert.equal(excerptAt("SELECT '😀',\n  bad", 15), "LINE 2:   bad\n          ^");
  });
});
