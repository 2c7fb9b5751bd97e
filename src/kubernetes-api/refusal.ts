// What the API server says when it does not do what was asked: its Status object, and which of our
// errors that is.
import { UnderstudyError, type ErrorCode } from "../core/errors.ts";

export interface Refusal {
  /** The HTTP status. */
  readonly code: number;
  /** "NotFound", "AlreadyExists", "Conflict", "Expired", … "" where the server says none. */
  readonly reason: string;
  readonly message: string;
  /** What it is about, where that is one object. */
  readonly name: string;
  readonly kind: string;
}

/** @param answer a whole answer with a status from 400 on, or the text of a watch's ERROR event. */
export function parseRefusal(answer: { status: number; text: string }): Refusal {
  const status = parsed(answer.text);
  const details = asRecord(status["details"]);
  return {
    code: typeof status["code"] === "number" ? status["code"] : answer.status,
    reason: textOf(status["reason"]),
    message: textOf(status["message"]) || firstLine(answer.text) || `status ${answer.status}`,
    name: textOf(details["name"]),
    kind: textOf(details["kind"]),
  };
}

/** What is not there is the object, and not its kind or its namespace. */
export function isAbsent({ code, name, kind }: Refusal): boolean {
  return code === 404 && name !== "" && kind !== "namespaces";
}

/** A version that is too old to go on from: everything has to be read again. */
export function isExpired({ code, reason }: Refusal): boolean {
  return code === 410 || reason === "Expired" || reason === "Gone";
}

export function isTaken({ reason }: Refusal): boolean {
  return reason === "AlreadyExists";
}

/** Of managers that want the same fields. */
export function isConflict({ code }: Refusal): boolean {
  return code === 409;
}

/** @param purpose "read Lease shop/izdb" */
export function errorOf(refusal: Refusal, purpose: string): UnderstudyError {
  const { code, reason, message } = refusal;
  return new UnderstudyError(codeOfRefusal(refusal), `cannot ${purpose}: ${message}`, {
    details: { status: code, reason },
  });
}

function codeOfRefusal({ code, name }: Refusal): ErrorCode {
  if (code === 401 || code === 403) return "KUBERNETES_FORBIDDEN";
  if (code === 404 && name === "") return "KUBERNETES_LACKS_KIND";
  // Throttled, or something of the server or of a proxy before it does not work.
  return code === 429 || code >= 500 ? "KUBERNETES_UNAVAILABLE" : "KUBERNETES_REFUSED";
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    return asRecord(JSON.parse(text));
  } catch {
    return {}; // A proxy or an old path answers in words.
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0]?.slice(0, 200) ?? "";
}
