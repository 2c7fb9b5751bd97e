// Majors 13 to 15; three files, so that two of them can run at once.
import { testMajors } from "../support/installations.ts";
import { describeMajor } from "./major-scenario.ts";

for (const major of testMajors()) if (major >= 13 && major <= 15) describeMajor(major);
