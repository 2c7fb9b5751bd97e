// By whom an EndpointSlice was written last: the term in which that member led, in an annotation. A
// leader that stood still, and wakes after another has taken its place, finds a newer one there.

export interface Reign {
  readonly term: number;
  /** Terms are of one cluster's data; null: it has none yet. */
  readonly systemId: string | null;
}

export const REIGN_ANNOTATION = "understudy.dev/term";

/** "7301234567890123456/4": the data's own number, and the term. */
export function reignText({ systemId, term }: Reign): string {
  return `${systemId ?? ""}/${term}`;
}

/** Terms of other data, of a cluster that was made anew under this name, say nothing. */
export function isSucceeded(reign: Reign, { by }: { by: string | undefined }): boolean {
  const [systemId, term] = (by ?? "").split("/");
  return systemId === (reign.systemId ?? "") && Number(term) > reign.term;
}
