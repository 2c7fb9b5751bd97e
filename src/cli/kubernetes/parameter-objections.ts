// Which of the parameters of a specification cannot be set, as far as that is known without a
// server: what Understudy sets itself, and what is no name.
import { UnderstudyError } from "../../core/errors.ts";
import { checkManaged, checkName } from "../../postgres/settings/managed.ts";
import { refuseTlsSetting } from "../../postgres/settings/tls-settings.ts";

/** @returns one sentence with its remedy for each. */
export function parameterObjections(parameters: Readonly<Record<string, string>>): string[] {
  return Object.entries(parameters).flatMap(([name, value]) => {
    try {
      checkName(name);
      checkManaged(name, value);
      refuseTlsSetting(name);
      return [];
    } catch (thrown) {
      if (!(thrown instanceof UnderstudyError)) throw thrown;
      return [`spec.postgres.parameters: ${thrown.message}. ${thrown.hint}`];
    }
  });
}
