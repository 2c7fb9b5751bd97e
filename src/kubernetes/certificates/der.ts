// DER, the bytes that certificates are written in (X.690), as far as writing them needs it.

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** From here on years have four digits (RFC 5280, 4.1.2.5). */
const FOUR_DIGITS_FROM = 2050;

/** Tag, length, content; the length in as few bytes as there can be: no other form is DER. */
export function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

export function sequence(...parts: readonly Buffer[]): Buffer {
  return der(TAG.sequence, ...parts);
}

export function bitString(bytes: Buffer, unusedBits = 0): Buffer {
  return der(TAG.bitString, Buffer.from([unusedBits]), bytes);
}

/** "2.5.29.15". */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return der(0x06, ...[40 * first + second, ...rest].map(inSevenBits));
}

/** To the second. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < FOUR_DIGITS_FROM
    ? der(TAG.utcTime, Buffer.from(digits.slice(2)))
    : der(TAG.generalizedTime, Buffer.from(digits));
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = inBytes(length);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

/** The most significant first. */
function inBytes(value: number): number[] {
  return value < 0x100 ? [value] : [...inBytes(Math.floor(value / 0x100)), value % 0x100];
}

/** All but the last byte have the highest bit set. */
function inSevenBits(value: number): Buffer {
  const bytes = [value % 0x80];
  for (let rest = Math.floor(value / 0x80); rest > 0; rest = Math.floor(rest / 0x80))
    bytes.unshift(0x80 | (rest % 0x80));
  return Buffer.from(bytes);
}
