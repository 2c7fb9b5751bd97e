// Loaded before a test file: what one file has compiled, the next one need not. Not by the variable
// that Node has for it, which the programs that are tested would inherit.
import { enableCompileCache } from "node:module";

const directory = process.env["UNDERSTUDY_TEST_COMPILED"];
if (directory !== undefined) enableCompileCache(directory);
