// Which npm packages the program needs at run time, by the lock file: what `npm ci` put there for
// development is not carried along.

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly dev?: boolean; readonly optional?: boolean; readonly peer?: boolean }>
  >;
}

/** @param lock package-lock.json as text. @returns paths such as "node_modules/pg", sorted. */
export function productionPackages(lock: string): string[] {
  const { packages }: Lock = JSON.parse(lock);
  return Object.entries(packages)
    .filter(([path, { dev, optional, peer }]) => path !== "" && !dev && !optional && !peer)
    .map(([path]) => path)
    .sort();
}

/** What a package's program consists of, and its licence; no types, maps, pages or tests. */
export function isProgramPart(path: string): boolean {
  if (/(^|\/)(test|tests|example|examples|browser|node_modules)\//.test(path)) return false;
  if (/(^|\/)(licen[cs]e|notice)[^/]*$/i.test(path)) return true;
  return /\.(js|cjs|mjs|json)$/.test(path) && !/\.min\.[cm]?js$/.test(path);
}
