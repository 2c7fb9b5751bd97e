// Objects of Kubernetes as YAML, as kubectl takes it.
import { stringify } from "yaml";

/**
 * Each a document of its own. Nothing refers to something above it: a reader may cut them apart.
 */
export function toDocuments(objects: readonly unknown[]): string {
  return objects
    .map((object) => {
      // Through JSON first: what is not said is not written.
      const text = stringify(JSON.parse(JSON.stringify(object)), {
        aliasDuplicateObjects: false,
        lineWidth: 0,
      });
      return `---\n${text}`;
    })
    .join("");
}
