// All pure test files in one process: the runner starts this file instead of one process per file.

for (const file of (process.env["UNDERSTUDY_TEST_FILES"] ?? "").split("\n")) await import(file);
