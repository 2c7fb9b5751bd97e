import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { checkClusterName } from "../../core/name.ts";
import { customResourceDefinition } from "./crd.ts";
import { rule } from "./field.ts";
import { structuralSchema, type StructuralSchema } from "./structural.ts";

const ROOT = rootSchema();

function rootSchema(): StructuralSchema {
  const [version] = customResourceDefinition({ hasRules: true }).spec.versions;
  assert(version !== undefined);
  return version.schema.openAPIV3Schema;
}

/** Of the Kubernetes documentation, "Validation rules": as names of fields they are escaped. */
const CEL_WORDS = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return".split(
    " ",
  ),
);

interface Place {
  readonly path: string;
  readonly schema: StructuralSchema;
}

/** The schema and all that is in it. */
function everyPlace(schema: StructuralSchema, path = ""): Place[] {
  const { properties = {}, items, additionalProperties } = schema;
  return [
    { path, schema },
    ...Object.entries(properties).flatMap(([name, each]) => everyPlace(each, `${path}.${name}`)),
    ...(items === undefined ? [] : everyPlace(items, `${path}[]`)),
    ...(additionalProperties === undefined ? [] : everyPlace(additionalProperties, `${path}{}`)),
  ];
}

function schemaAt(path: string): StructuralSchema | undefined {
  return everyPlace(ROOT).find((place) => place.path === path)?.schema;
}

/** What "Specifying a structural schema" asks for, in the Kubernetes documentation. */
test("the schema is structural", () => {
  for (const { path, schema } of everyPlace(ROOT)) {
    const isEither = schema["x-kubernetes-int-or-string"] === true;
    assert.notEqual(
      schema.type === undefined,
      !isEither,
      `${path} has a type, or is int or string`,
    );
    for (const keyword of ["$ref", "anyOf", "oneOf", "allOf", "not", "nullable", "definitions"])
      assert.ok(!(keyword in schema), `${path} has no ${keyword}`);
    const isMap = schema.additionalProperties !== undefined;
    assert.ok(!isMap || schema.properties === undefined, `${path} is a map or has fields`);
    assert.equal(schema.type === "array", schema.items !== undefined, path);
  }
});

test("every field of the spec says what it is, for kubectl explain", () => {
  const named = everyPlace(ROOT).filter(({ path }) => /^\.spec.*\.[a-zA-Z]+$/.test(path));
  assert.ok(named.length > 40);
  const silent = named.filter(({ path, schema }) => {
    return schema.description === undefined && !path.startsWith(".spec.scheduling.tolerations[]");
  });
  assert.deepEqual(
    silent.map(({ path }) => path),
    [],
  );
});

test("no list and no map of the spec is without a bound, so that rules have one", () => {
  for (const { path, schema } of everyPlace(ROOT)) {
    if (!path.startsWith(".spec")) continue;
    if (schema.type === "array") assert.ok(schema["maxItems"] !== undefined, path);
    const isCapped = schema["maxLength"] !== undefined || schema.enum !== undefined;
    if (schema.type === "string" && path.startsWith(".spec.members")) assert.ok(isCapped, path);
  }
});

test("rules between fields are in the definition, each with its sentence", () => {
  const rules = everyPlace(ROOT).flatMap(({ path, schema }) => {
    const list = (schema["x-kubernetes-validations"] ?? []) as { rule: string; message: string }[];
    return list.map(({ rule: cel, message }) => ({ path, cel, message }));
  });
  assert.ok(rules.length >= 8, `${rules.length} rules`);
  for (const { path, cel, message } of rules) {
    assert.match(cel, /\bself\b/, path);
    assert.match(message, /^[a-z].*[a-zA-Z]$/, path);
    // Each field that a rule names is there.
    for (const [, written = ""] of cel.matchAll(/\bself\.(\w+)\b/g)) {
      const name = written.replace(/^__(\w+)__$/, "$1");
      assert.equal(written !== name, CEL_WORDS.has(name), `${path} writes ${name} as CEL wants it`);
      assert.ok(isMethod(name) || schemaAt(`${path}.${name}`), `${path} has ${name}`);
    }
  }
  assert.equal(schemaAt(".spec.postgres.locale")?.default, "C.UTF-8");
});

function isMethod(name: string): boolean {
  return ["all", "exists_one", "exists", "startsWith", "endsWith", "matches", "size"].includes(
    name,
  );
}

test("what is left out has its default also where its parent is left out", () => {
  const { default: sync } = schemaAt(".spec.sync") ?? {};
  assert.deepEqual(sync, {});
  const { default: write } = schemaAt(".spec.services.write") ?? {};
  assert.deepEqual(write, {});
  assert.equal(schemaAt(".spec.standbys")?.default, 1);
});

test("the paths of columns and of the scale subresource lead somewhere", () => {
  const [version] = customResourceDefinition({ hasRules: true }).spec.versions;
  assert(version !== undefined);
  const { scale } = version.subresources;
  const paths = [
    ...Object.values(scale),
    ...version.additionalPrinterColumns.map(({ jsonPath }) => jsonPath),
  ];
  for (const path of paths.filter((each) => !each.startsWith(".metadata")))
    assert.ok(schemaAt(path) !== undefined, path);
});

test("the definition takes the names that Understudy takes", () => {
  const { pattern, maxLength } = schemaAt(".metadata.name") ?? {};
  for (const name of ["izdb", "a", "a-1", "a".repeat(40), "a".repeat(41), "1a", "A", "a-", "a.b"]) {
    const isTaken = new RegExp(String(pattern)).test(name) && name.length <= Number(maxLength);
    assert.equal(isTaken, takes(name), name);
  }
});

function takes(name: string): boolean {
  try {
    return checkClusterName(name) === name;
  } catch {
    return false;
  }
}

test("what a definition cannot say is a mistake of ours, and found at once", () => {
  for (const schema of [
    v.any(),
    v.tuple([v.string()]),
    v.pipe(v.string(), v.transform(Number)),
    v.pipe(v.string(), v.regex(/(?=a)/)),
    v.pipe(v.string(), v.regex(/a/i)),
    v.pipe(
      v.string(),
      v.check(() => true, "no CEL"),
    ),
  ])
    assert.throws(() => structuralSchema(schema), { code: "INTERNAL" });
});

function always(cel: string) {
  return rule<string>({ cel, message: "m", holds: () => true });
}

test("rules of one place add up", () => {
  const schema = structuralSchema(v.pipe(v.string(), always("self == 'a'"), always("self != ''")));
  assert.deepEqual(schema["x-kubernetes-validations"], [
    { rule: "self == 'a'", message: "m" },
    { rule: "self != ''", message: "m" },
  ]);
});

test("a server that knows no rules is told none, and everything else all the same", () => {
  const plain = JSON.stringify(customResourceDefinition({ hasRules: false }));
  const full = JSON.stringify(customResourceDefinition({ hasRules: true }));
  assert(full.includes("x-kubernetes-validations"));
  assert(!plain.includes("x-kubernetes-validations"));
  assert.equal(fieldsOf(plain), fieldsOf(full));
});

function fieldsOf(text: string): number | undefined {
  return text.match(/"(description|pattern|maxLength)":/g)?.length;
}
