import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePasswd } from "./os-user.ts";

const TEXT = `root:x:0:0:root:/root:/bin/bash
postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash
postgres2:x:102:104::/home/p:/bin/sh
homeless:x:103:105:::/bin/sh
broken:x:many:105::/:/bin/sh
`;

test("a user is found by its whole name", () => {
  assert.deepEqual(parsePasswd({ text: TEXT, name: "postgres" }), {
    name: "postgres",
    uid: 101,
    gid: 104,
    home: "/var/lib/postgresql",
  });
  assert.equal(parsePasswd({ text: TEXT, name: "postgres2" })?.uid, 102);
  assert.equal(parsePasswd({ text: TEXT, name: "homeless" })?.home, "/");
});

test("part of a name, nothing, and a line without numbers are no user", () => {
  for (const name of ["post", "", "broken", "x", "+", "postgres:x"])
    assert.equal(parsePasswd({ text: TEXT, name }), null, name);
});
