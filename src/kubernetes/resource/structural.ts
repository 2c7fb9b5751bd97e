// Makes of a description (valibot, with the words of field.ts) the schema that a custom resource
// definition wants: structural, so every value has a type and nothing is referred to.
import type * as v from "valibot";
import { assert } from "../../core/errors.ts";

export interface StructuralSchema {
  readonly type?: "object" | "array" | "string" | "number" | "integer" | "boolean";
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly enum?: readonly string[];
  readonly [keyword: string]: unknown;
}

/** What of valibot's own objects is read here. */
interface Described {
  readonly type: string;
  readonly pipe?: readonly Described[];
  readonly wrapped?: Described;
  readonly default?: unknown;
  readonly entries?: Readonly<Record<string, Described>>;
  readonly item?: Described;
  readonly value?: Described;
  readonly options?: readonly unknown[];
  readonly requirement?: unknown;
  readonly description?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly message?: unknown;
  readonly cel?: string;
}

/** Fails (a mistake of ours) on what a definition could not say. */
export function structuralSchema(schema: v.GenericSchema): StructuralSchema {
  return schemaOf(schema as unknown as Described);
}

function schemaOf(described: Described): StructuralSchema {
  if (described.type === "optional") {
    assert(described.wrapped !== undefined, "an optional field wraps another");
    const inner = schemaOf(described.wrapped);
    // A server to which a definition is applied reads the empty text as null there; rules ask
    // has().
    if (described.default === undefined || described.default === "") return inner;
    return { ...inner, default: described.default };
  }
  if (described.pipe === undefined) return typeOf(described);
  // The first of a pipe is what it was before, and may be a pipe itself.
  const [first, ...actions] = described.pipe;
  let schema = schemaOf(defined(first));
  for (const action of actions) schema = withAction(schema, action);
  return schema;
}

function typeOf(described: Described): StructuralSchema {
  switch (described.type) {
    case "string":
    case "number":
    case "boolean":
      return { type: described.type };
    case "picklist":
      return { type: "string", enum: (described.options ?? []).map(String) };
    case "array":
      return { type: "array", items: schemaOf(defined(described.item)) };
    case "record":
      return { type: "object", additionalProperties: schemaOf(defined(described.value)) };
    case "strict_object":
      return objectOf(defined(described.entries));
    case "union":
      // The only one that a structural schema may have.
      return { "x-kubernetes-int-or-string": true };
    default:
      return assertNever(`a definition cannot say "${described.type}"`);
  }
}

function objectOf(entries: Readonly<Record<string, Described>>): StructuralSchema {
  const names = Object.keys(entries);
  const required = names.filter((name) => entries[name]?.type !== "optional");
  const properties = Object.fromEntries(
    Object.entries(entries).map(([name, each]) => [name, schemaOf(each)]),
  );
  return { type: "object", properties, ...(required.length === 0 ? {} : { required }) };
}

function withAction(schema: StructuralSchema, action: Described): StructuralSchema {
  const { requirement } = action;
  const isList = schema.type === "array";
  switch (action.type) {
    case "description":
      return { ...schema, description: action.description ?? "" };
    case "metadata":
      return withRules(schema, action.metadata ?? {});
    case "integer":
      return { ...schema, type: "integer", format: "int64" };
    case "min_value":
      return { ...schema, minimum: requirement };
    case "max_value":
      return { ...schema, maximum: requirement };
    case "min_length":
      return { ...schema, [isList ? "minItems" : "minLength"]: requirement };
    case "max_length":
      return { ...schema, [isList ? "maxItems" : "maxLength"]: requirement };
    case "max_entries":
      return { ...schema, maxProperties: requirement };
    case "regex":
      return { ...schema, pattern: patternOf(requirement) };
    case "check":
      return withRules(schema, {
        "x-kubernetes-validations": [{ rule: defined(action.cel), message: action.message }],
      });
    default:
      return assertNever(`a definition cannot say "${action.type}"`);
  }
}

/** Rules add up; other keywords stand alone. */
function withRules(
  schema: StructuralSchema,
  keywords: Readonly<Record<string, unknown>>,
): StructuralSchema {
  const name = "x-kubernetes-validations";
  const rules = [schema[name], keywords[name]].flatMap((each) => each ?? []);
  return { ...schema, ...keywords, ...(rules.length === 0 ? {} : { [name]: rules }) };
}

/** The API server reads RE2, which has neither look-around nor back-references. */
function patternOf(requirement: unknown): string {
  assert(requirement instanceof RegExp && requirement.flags === "", "a pattern without flags");
  assert(!/\(\?[=!<]|\\[1-9]/.test(requirement.source), "a pattern that RE2 reads as well");
  return requirement.source;
}

function defined<T>(value: T | undefined): T {
  assert(value !== undefined, "the description is complete");
  return value;
}

function assertNever(message: string): never {
  assert(false, message);
  throw new Error(message);
}
