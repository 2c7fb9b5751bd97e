// The authority of one cluster: who signs its certificates now, who will next, and who did before.
// Whoever checks a certificate trusts all three, so that a change of the authority breaks nothing.
import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from "node:crypto";
import { keyPem, makeCertificate, makeKeyPair } from "./x509.ts";

export interface Signer {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export interface Authority {
  readonly current: Signer;
  /** Known to everybody before it signs anything. */
  readonly next: Signer | null;
  /** PEM; what they have signed is good for as long as it was meant to be. */
  readonly former: readonly string[];
}

/** A certificate with its key, and what it is for. */
export interface Issue {
  readonly commonName: string;
  readonly use: "server" | "client";
  /** Of the DNS. */
  readonly names: readonly string[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const AUTHORITY_MS = 3_650 * DAY_MS;
/** Of what the operator renews; where there is none, as long as their authority. */
export const LIFE_MS = { renewed: 90 * DAY_MS, unattended: AUTHORITY_MS } as const;
/** A kubelet brings what has changed within two minutes, and whoever was off comes back. */
const KNOWN_AFTER_MS = DAY_MS;
/** Clocks of nodes differ. */
const EARLIER_MS = HOUR_MS;

export function newSigner(cluster: string, now: Date): Signer {
  const keys = makeKeyPair();
  const commonName = `understudy ${cluster} ${randomBytes(4).toString("hex")}`;
  const certificate = makeCertificate({
    commonName,
    publicKey: keys.publicKey,
    from: new Date(now.getTime() - EARLIER_MS),
    to: new Date(now.getTime() + AUTHORITY_MS),
    use: "authority",
    names: [],
    signer: { commonName, ...keys },
  });
  return { certificate, key: keyPem(keys) };
}

/**
 * What is to be made of it at this time: the next one in good time, in the current one's place once
 * everybody knows it.
 * @returns the very same object where there is nothing to change.
 */
export function advance(authority: Authority, of: { cluster: string; now: Date }): Authority {
  const { cluster, now } = of;
  const { current, next, former } = authority;
  const left = former.filter((each) => validTo(each) > now.getTime());
  if (left.length < former.length) return { ...authority, former: left };
  const begun = next !== null && hasBegun(next.certificate, now) ? next : null;
  // Made by a clock that was ahead, or this one is behind: what it has signed is believed by nobody
  // whose clock is right, or still is by everybody.
  if (!hasBegun(current.certificate, now))
    return {
      current: begun ?? newSigner(cluster, now),
      next: null,
      former: [...former, current.certificate],
    };
  if (!isDue(current.certificate, now)) return authority;
  // What a signer that is over has signed is over, too: nothing is left to wait for.
  const isOver = validTo(current.certificate) <= now.getTime();
  if (isOver) return { current: begun ?? newSigner(cluster, now), next: null, former: [] };
  if (begun === null) return { ...authority, next: newSigner(cluster, now) };
  const isKnown = validFrom(begun.certificate) + EARLIER_MS + KNOWN_AFTER_MS <= now.getTime();
  if (!isKnown) return authority;
  return { current: begun, next: null, former: [...former, current.certificate] };
}

/** All that are to be trusted, as one PEM file. */
export function trusted({ current, next, former }: Authority): string {
  return [current.certificate, next?.certificate ?? "", ...former].join("");
}

export function issue(
  { current }: Authority,
  of: { wanted: Issue; now: Date; lifeMs: number },
): Signer {
  const { wanted, now, lifeMs } = of;
  const keys = makeKeyPair();
  const signer = new X509Certificate(current.certificate);
  // What outlives its signer is trusted by nobody.
  const to = Math.min(now.getTime() + lifeMs, validTo(current.certificate));
  const certificate = makeCertificate({
    ...wanted,
    publicKey: keys.publicKey,
    from: new Date(now.getTime() - EARLIER_MS),
    to: new Date(to),
    signer: {
      commonName: commonNameOf(signer),
      publicKey: signer.publicKey,
      privateKey: createPrivateKey(current.key),
    },
  });
  return { certificate, key: keyPem(keys) };
}

/**
 * Whether a certificate is what is wanted, now and for a third of its life. One whose time has not
 * come was issued by a clock that was ahead, and is believed by nobody.
 */
export function isGood(
  { certificate, key }: Signer,
  of: { authority: Authority; wanted: Issue; now: Date },
): boolean {
  const { authority, wanted, now } = of;
  if (!isPair({ certificate, key }) || isDue(certificate, now)) return false;
  if (!hasBegun(certificate, now)) return false;
  const parsed = new X509Certificate(certificate);
  const signers = certificatesIn(trusted(authority))
    .filter((each) => hasBegun(each, now))
    .map((each) => new X509Certificate(each));
  const names = wanted.names.map((name) => `DNS:${name}`).join(", ");
  return (
    commonNameOf(parsed) === wanted.commonName &&
    (parsed.subjectAltName ?? "") === names &&
    signers.some((signer) => parsed.checkIssued(signer) && parsed.verify(signer.publicKey))
  );
}

/** Whether the key is the certificate's, and both can be read. */
export function isPair({ certificate, key }: Signer): boolean {
  try {
    const own = createPublicKey(createPrivateKey(key)).export({ type: "spki", format: "der" });
    const { publicKey } = new X509Certificate(certificate);
    return own.equals(publicKey.export({ type: "spki", format: "der" }));
  } catch {
    return false;
  }
}

/** Each of a PEM file that holds several. */
export function certificatesIn(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n?/g) ?? [];
}

/** Two thirds of its life are over. */
function isDue(certificate: string, now: Date): boolean {
  const [from, to] = [validFrom(certificate), validTo(certificate)];
  return now.getTime() >= from + (2 * (to - from)) / 3;
}

function hasBegun(certificate: string, now: Date): boolean {
  return validFrom(certificate) <= now.getTime();
}

function validFrom(certificate: string): number {
  return new X509Certificate(certificate).validFromDate.getTime();
}

function validTo(certificate: string): number {
  return new X509Certificate(certificate).validToDate.getTime();
}

/** As OpenSSL prints a subject of one part: "CN=izdb-1". */
function commonNameOf({ subject }: X509Certificate): string {
  return subject.replace(/^CN=/, "");
}
