// Majors 10 to 12; three files, so that two of them can run at once.
import { testMajors } from "../support/installations.ts";
import { describeMajor } from "./major-scenario.ts";

for (const major of testMajors()) if (major >= 10 && major <= 12) describeMajor(major);
