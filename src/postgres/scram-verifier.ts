// The form in which PostgreSQL keeps a password, computed here, so that the password itself is
// never sent in a statement (lesson 50). RFC 5802, and the manual's 51.8 "pg_authid":
// SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import type { Secret } from "../core/secret.ts";

/** PostgreSQL's own number. */
const ITERATIONS = 4096;

/** Only for passwords of printable ASCII, which need no SASLprep. */
export function scramVerifier(password: Secret, salt: Buffer = randomBytes(16)): string {
  const salted = pbkdf2Sync(password.reveal(), salt, ITERATIONS, 32, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  const serverKey = hmac(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
