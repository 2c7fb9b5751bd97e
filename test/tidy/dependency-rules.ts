// Rules about package.json: every dependency is pinned to one version and has its reason in
// docs/decisions.

export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

export function unpinned(manifest: Manifest): string[] {
  return entriesOf(manifest)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name}: "${version}" is not one exact version`);
}

/** @param decisions the text of all of docs/decisions. */
export function unexplained(manifest: Manifest, decisions: string): string[] {
  return entriesOf(manifest)
    .filter(([name]) => !decisions.includes(`\`${name}\``))
    .map(([name]) => `${name}: no reason for it is in docs/decisions`);
}

/** Ours would be blocked by npm 12, and nobody likes them. */
export function installScripts(manifest: Manifest): string[] {
  return ["preinstall", "install", "postinstall"].filter(
    (name) => manifest.scripts?.[name] !== undefined,
  );
}

function entriesOf(manifest: Manifest): [string, string][] {
  return Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
}
