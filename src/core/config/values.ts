// Kinds of values that several keys take.

export const TRUE_OR_FALSE = "true or false";

/** With the words that PostgreSQL takes for a boolean. */
export function parseBoolean(text: string): { readonly value: boolean } | null {
  const word = text.toLowerCase();
  if (["true", "on", "yes", "1"].includes(word)) return { value: true };
  return ["false", "off", "no", "0"].includes(word) ? { value: false } : null;
}

export function parseWhole(
  text: string,
  range: { readonly from: number; readonly to: number },
): { readonly value: number } | null {
  if (!/^[+-]?\d{1,9}$/.test(text)) return null;
  const value = Number(text);
  return value >= range.from && value <= range.to ? { value } : null;
}
