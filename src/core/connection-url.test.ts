import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { connectionUrl } from "./connection-url.ts";
import { Secret } from "./secret.ts";

describe("a connection string", () => {
  it("names several hosts and the wish", () => {
    const hosts = [
      { host: "127.0.0.1", port: 6431 },
      { host: "::1", port: 6432 },
    ];
    assert.equal(
      connectionUrl({ hosts, wants: "read-write" }),
      "postgresql://app@127.0.0.1:6431,[::1]:6432/app?target_session_attrs=read-write",
    );
  });

  it("says how the server is to prove who it is", () => {
    const hosts = [{ host: "izdb-rw", port: 5432 }];
    const tls = { mode: "verify-full", rootCertificate: "/etc/izdb app/ca.crt" } as const;
    assert.equal(
      connectionUrl({ hosts, wants: "read-write", tls }),
      "postgresql://app@izdb-rw:5432/app?target_session_attrs=read-write&sslmode=verify-full&sslrootcert=/etc/izdb%20app/ca.crt",
    );
    assert.equal(
      connectionUrl({ hosts, wants: "any", tls: { mode: "require" } }),
      "postgresql://app@izdb-rw:5432/app?sslmode=require",
    );
  });

  it("carries any password so that a URL parser gives it back", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "binary" }), (password) => {
        const hosts = [{ host: "localhost", port: 5432 }];
        const url = connectionUrl({ hosts, wants: "any", password: new Secret(password) });
        assert.equal(decodeURIComponent(new URL(url).password), password);
      }),
    );
  });
});
