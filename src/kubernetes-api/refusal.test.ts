import assert from "node:assert/strict";
import { test } from "node:test";
import { errorOf, isAbsent, isExpired, parseRefusal } from "./refusal.ts";

/** As the API server of Kubernetes writes it. */
function status(fields: Record<string, unknown>): string {
  return JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", ...fields });
}

const NO_LEASE = status({
  reason: "NotFound",
  message: 'leases.coordination.k8s.io "izdb" not found',
  details: { name: "izdb", group: "coordination.k8s.io", kind: "leases" },
  code: 404,
});

function codeFor(httpStatus: number, text: string): string {
  return errorOf(parseRefusal({ status: httpStatus, text }), "do it").code;
}

test("an object that is not there is told from a kind and from a namespace that are not", () => {
  assert.ok(isAbsent(parseRefusal({ status: 404, text: NO_LEASE })));
  const noKind = parseRefusal({ status: 404, text: "404 page not found\n" });
  assert.ok(!isAbsent(noKind));
  assert.equal(errorOf(noKind, "read it").code, "KUBERNETES_LACKS_KIND");
  assert.equal(errorOf(noKind, "read it").message, "cannot read it: 404 page not found");
  const details = { name: "shop", kind: "namespaces" };
  const noNamespace = parseRefusal({ status: 404, text: status({ details, code: 404 }) });
  assert.ok(!isAbsent(noNamespace));
  assert.equal(errorOf(noNamespace, "make it").code, "KUBERNETES_REFUSED");
});

test("rights, throttling, failures and refusals are different errors", () => {
  assert.equal(codeFor(401, status({ reason: "Unauthorized" })), "KUBERNETES_FORBIDDEN");
  assert.equal(codeFor(403, status({ reason: "Forbidden" })), "KUBERNETES_FORBIDDEN");
  assert.equal(codeFor(429, ""), "KUBERNETES_UNAVAILABLE");
  assert.equal(codeFor(502, "<html>Bad gateway</html>"), "KUBERNETES_UNAVAILABLE");
  assert.equal(codeFor(409, status({ reason: "Conflict" })), "KUBERNETES_REFUSED");
  assert.equal(codeFor(422, status({ reason: "Invalid" })), "KUBERNETES_REFUSED");
});

test("a version that is too old is known by the status, and by the reason within a watch", () => {
  assert.ok(isExpired(parseRefusal({ status: 410, text: "" })));
  assert.ok(isExpired(parseRefusal({ status: 200, text: status({ reason: "Expired" }) })));
  assert.ok(!isExpired(parseRefusal({ status: 500, text: "" })));
});
