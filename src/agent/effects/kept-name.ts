// The names of what is set aside: by their time, and each sorts after all that are there already,
// also where the wall clock was set back. The oldest by name is what gives way. Pure.

const FORM = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z$/;

/** A name such as "2026-11-22T12-18-02-123Z". @param present what stands beside it, in any order */
export function keptName(now: Date, present: readonly string[] = []): string {
  const newest = present
    .filter((name) => FORM.test(name))
    .toSorted()
    .at(-1);
  const name = nameOf(now);
  return newest === undefined || name > newest ? name : nameOf(justAfter(newest));
}

function nameOf(time: Date): string {
  return time.toISOString().replaceAll(/[:.]/g, "-");
}

function justAfter(name: string): Date {
  return new Date(Date.parse(name.replace(FORM, "$1T$2:$3:$4.$5Z")) + 1);
}
