// The order in which members' names are told and ties between members are broken. Without Intl: its
// collation takes 8 to 12 ms of processor time where it is first used and 2 MB for as long as the
// process lives, which each agent would pay at its start or in the middle of a failover. Pure.

/** A number, or one character of anything else. */
const PARTS = /\d+|\D/g;

/** For sorting; 0 for equal names only. Numbers in them count as such: "demo-2", then "demo-10". */
export function compareNames(one: string, other: string): number {
  const [parts, otherParts] = [one.match(PARTS) ?? [], other.match(PARTS) ?? []];
  for (const [index, part] of parts.entries()) {
    const otherPart = otherParts[index];
    // The other name ends here.
    if (otherPart === undefined) return 1;
    const order = compareParts(part, otherPart);
    if (order !== 0) return order;
  }
  if (parts.length < otherParts.length) return -1;
  // The same but for zeros before a number.
  return compareAsText(one, other);
}

export function namesInOrder(names: Iterable<string>): string[] {
  return [...names].sort(compareNames);
}

function compareParts(one: string, other: string): number {
  const [number, otherNumber] = [numberOf(one), numberOf(other)];
  return number === null || otherNumber === null
    ? compareAsText(one, other)
    : Number(number - otherNumber);
}

/** However many digits it has. */
function numberOf(part: string): bigint | null {
  return /^\d/.test(part) ? BigInt(part) : null;
}

/** By character code, which for names is a dictionary's order: "-", digits, letters. */
export function compareAsText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
