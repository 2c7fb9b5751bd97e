import assert from "node:assert/strict";
import { it } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import { Secret } from "./secret.ts";

it("a secret is not in any text that is made of it", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8 }), (value) => {
      fc.pre(!value.includes("*"));
      const secret = new Secret(value);
      const holder = { password: secret };
      assert.equal(String(secret), "***");
      assert.equal(`${secret}`, "***");
      assert.equal(JSON.stringify(holder), '{"password":"***"}');
      assert.equal(inspect(secret, { showHidden: true, depth: 9 }), "***");
      assert.equal(inspect(holder, { showHidden: true }), "{ password: *** }");
      assert.deepEqual(Object.values(secret), []);
      assert.deepEqual(Reflect.ownKeys(secret), []);
    }),
  );
});

it("a secret is given to whoever asks for it by name", () => {
  assert.equal(new Secret("swordfish").reveal(), "swordfish");
});
