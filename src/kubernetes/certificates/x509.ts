// Makes certificates (X.509 version 3, RFC 5280) on the curve P-256: an authority's own, and what
// it signs. Keys, randomness and signatures are node:crypto's; this is the form alone. Reading and
// checking them is OpenSSL's.
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { assert } from "../../core/errors.ts";
import { bitString, der, objectIdentifier, sequence, TAG, time } from "./der.ts";

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface CertificateWishes {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  readonly from: Date;
  readonly to: Date;
  /** What it may be used for. */
  readonly use: "authority" | "server" | "client";
  /** By which a server is known, of the DNS. */
  readonly names: readonly string[];
  /** Its own where an authority signs itself. */
  readonly signer: { readonly commonName: string } & KeyPair;
}

const ALGORITHM = sequence(objectIdentifier("1.2.840.10045.4.3.2"));
const COMMON_NAME = objectIdentifier("2.5.4.3");
const EXTENSION = {
  subjectKeyIdentifier: objectIdentifier("2.5.29.14"),
  keyUsage: objectIdentifier("2.5.29.15"),
  subjectAltName: objectIdentifier("2.5.29.17"),
  basicConstraints: objectIdentifier("2.5.29.19"),
  authorityKeyIdentifier: objectIdentifier("2.5.29.35"),
  extendedKeyUsage: objectIdentifier("2.5.29.37"),
} as const;
const PURPOSE = {
  server: objectIdentifier("1.3.6.1.5.5.7.3.1"),
  client: objectIdentifier("1.3.6.1.5.5.7.3.2"),
} as const;
const TRUE = der(TAG.boolean, Buffer.from([0xff]));
/** Of 4 by their bits: keyCertSign and cRLSign; digitalSignature. */
const MAY_SIGN_CERTIFICATES = bitString(Buffer.from([0b0000_0110]), 1);
const MAY_SIGN = bitString(Buffer.from([0b1000_0000]), 7);
const NAME_LIMIT = 64;
const SERIAL_BYTES = 16;

export function makeKeyPair(): KeyPair {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/** @returns PEM. */
export function keyPem({ privateKey }: Pick<KeyPair, "privateKey">): string {
  return String(privateKey.export({ type: "pkcs8", format: "pem" }));
}

/** @returns PEM. */
export function makeCertificate(wishes: CertificateWishes): string {
  const { signer } = wishes;
  const content = sequence(
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    serialNumber(),
    ALGORITHM,
    nameOf(signer.commonName),
    sequence(time(wishes.from), time(wishes.to)),
    nameOf(wishes.commonName),
    spkiOf(wishes.publicKey),
    der(0xa3, sequence(...extensions(wishes))),
  );
  const signature = sign("sha256", content, signer.privateKey);
  return pem(sequence(content, ALGORITHM, bitString(signature)));
}

/** Positive and without a leading zero: the first byte is one. */
function serialNumber(): Buffer {
  return der(TAG.integer, Buffer.concat([Buffer.from([1]), randomBytes(SERIAL_BYTES - 1)]));
}

function nameOf(commonName: string): Buffer {
  assert(commonName !== "" && commonName.length <= NAME_LIMIT, `"${commonName}" names nobody`);
  const value = der(TAG.utf8String, Buffer.from(commonName));
  return sequence(der(TAG.set, sequence(COMMON_NAME, value)));
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

function extensions({ use, names, publicKey, signer }: CertificateWishes): Buffer[] {
  const ownKey = der(TAG.octetString, keyIdentifier(publicKey));
  const signersKey = sequence(der(0x80, keyIdentifier(signer.publicKey)));
  const both = [
    extension(EXTENSION.subjectKeyIdentifier, ownKey),
    extension(EXTENSION.authorityKeyIdentifier, signersKey),
  ];
  if (use === "authority")
    return [
      ...both,
      critical(EXTENSION.basicConstraints, sequence(TRUE, der(TAG.integer, Buffer.from([0])))),
      critical(EXTENSION.keyUsage, MAY_SIGN_CERTIFICATES),
    ];
  const alternatives = names.map((name) => der(0x82, Buffer.from(name, "ascii")));
  return [
    ...both,
    critical(EXTENSION.basicConstraints, sequence()),
    critical(EXTENSION.keyUsage, MAY_SIGN),
    extension(EXTENSION.extendedKeyUsage, sequence(PURPOSE[use])),
    ...(names.length === 0 ? [] : [extension(EXTENSION.subjectAltName, sequence(...alternatives))]),
  ];
}

/** So that of two authorities of one name the right one is found. */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash("sha256").update(spkiOf(key)).digest().subarray(0, 20);
}

function extension(identifier: Buffer, value: Buffer): Buffer {
  return sequence(identifier, der(TAG.octetString, value));
}

/** Who does not understand it does not trust the certificate. */
function critical(identifier: Buffer, value: Buffer): Buffer {
  return sequence(identifier, TRUE, der(TAG.octetString, value));
}

/** In lines of 64 characters, as OpenSSL writes it. */
function pem(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}
