// One row of the table of managed settings.
import type { Major } from "../../core/spec.ts";
import type { SettingsContext } from "./context.ts";

/**
 * What a user may do with a managed setting: "refused" nothing; "free" any value that the server
 * accepts; "at-least" a number, and never less than ours counts; a list: one of these values.
 */
export type UserRule = "refused" | "free" | "at-least" | readonly string[];

export interface ManagedSetting {
  readonly name: string;
  /** First and last major that know it; all that Understudy knows where left out. */
  readonly from?: Major;
  readonly to?: Major;
  /**
   * Our value, unquoted; null: the server's own default is right, or the setting must not be there.
   */
  readonly value: (context: SettingsContext) => string | null;
  readonly user: UserRule;
  /** One clause for users that goes on after "because". */
  readonly why: string;
}
