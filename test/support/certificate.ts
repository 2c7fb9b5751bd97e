// Certificates for tests: an authority, and what it signs, for a day, on an elliptic curve. Just
// enough of X.509 (RFC 5280) and of DER for a TLS client to check it.
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";

export interface Certificate {
  /** PEM. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
}

export interface Authority extends Certificate {
  /** For a server at these addresses (IPv4). */
  issue(addresses: readonly string[]): Certificate;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
/** As DER has them: ecdsa-with-SHA256, commonName, basicConstraints, subjectAltName. */
const ECDSA_SHA256 = Buffer.from("06082a8648ce3d040302", "hex");
const COMMON_NAME = Buffer.from("0603550403", "hex");
const BASIC_CONSTRAINTS = Buffer.from("0603551d13", "hex");
const SUBJECT_ALT_NAME = Buffer.from("0603551d11", "hex");
const TRUE = Buffer.from("0101ff", "hex");
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export function makeAuthority(name: string): Authority {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const isAuthority = extension(BASIC_CONSTRAINTS, der(SEQUENCE, TRUE));
  const signer = { name, privateKey };
  const chain = certificate({ name, publicKey, extension: isAuthority, signer });
  return {
    chain,
    key: pemOf(privateKey),
    issue: (addresses) => {
      const leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const names = addresses.map((each) => der(0x87, Buffer.from(each.split(".").map(Number))));
      const where = extension(SUBJECT_ALT_NAME, der(SEQUENCE, ...names));
      const of = { name: "server", publicKey: leaf.publicKey, extension: where, signer };
      return { chain: certificate(of), key: pemOf(leaf.privateKey) };
    },
  };
}

function certificate(of: {
  name: string;
  publicKey: KeyObject;
  extension: Buffer;
  signer: { name: string; privateKey: KeyObject };
}): string {
  const { name, publicKey, signer } = of;
  const algorithm = der(SEQUENCE, ECDSA_SHA256);
  // The first bit says whether it is negative.
  const serial = Buffer.concat([Buffer.from([0x01]), randomBytes(8)]);
  const content = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, serial),
    algorithm,
    nameOf(signer.name),
    der(SEQUENCE, utcTime(Date.now() - HOUR_MS), utcTime(Date.now() + DAY_MS)),
    nameOf(name),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(SEQUENCE, of.extension)),
  );
  const signature = sign("sha256", content, signer.privateKey);
  const whole = der(SEQUENCE, content, algorithm, bitString(signature));
  return `-----BEGIN CERTIFICATE-----\n${whole.toString("base64")}\n-----END CERTIFICATE-----\n`;
}

function nameOf(commonName: string): Buffer {
  const value = der(UTF8_STRING, Buffer.from(commonName));
  return der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, value)));
}

/** Critical: who does not understand it does not trust the certificate. */
function extension(identifier: Buffer, value: Buffer): Buffer {
  return der(SEQUENCE, identifier, TRUE, der(OCTET_STRING, value));
}

function bitString(bytes: Buffer): Buffer {
  return der(BIT_STRING, Buffer.from([0]), bytes);
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return der(UTC_TIME, Buffer.from(digits.slice(2)));
}

/** Tag, length, content; lengths to 65,535. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  // In as few bytes as there can be: others take no longer form.
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  const size = length < 0x80 ? [length] : long;
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function pemOf(key: KeyObject): string {
  return String(key.export({ type: "pkcs8", format: "pem" }));
}
