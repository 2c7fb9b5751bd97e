// Majors 16 to 18; three files, so that two of them can run at once.
import { testMajors } from "../support/installations.ts";
import { describeMajor } from "./major-scenario.ts";

for (const major of testMajors()) if (major >= 16 && major <= 18) describeMajor(major);
