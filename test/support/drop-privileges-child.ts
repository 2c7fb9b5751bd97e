// Becomes the user that PostgreSQL runs as, and says as JSON what became of the process. For
// test/postgres/os-user.test.ts.
import { readFile } from "node:fs/promises";
import { codeOf } from "../../src/core/errors.ts";
import { checkReachable, dropPrivileges, findOsUser } from "../../src/postgres/os-user.ts";

const user = await findOsUser();
if (user !== null) dropPrivileges(user);
const shadow = await readFile("/etc/shadow").then(() => "read", codeOf);
const umask = process.umask();
const wanted = await findOsUser({ wanted: "root" }).then(() => "found", codeOf);
const inTheWay = await checkReachable("/root/understudy/demo", null);
const said = {
  uid: process.getuid?.(),
  euid: process.geteuid?.(),
  gid: process.getgid?.(),
  groups: process.getgroups?.(),
  home: process.env["HOME"],
  directory: process.cwd(),
  umask,
  shadow,
  wanted,
  inTheWay,
};
process.stdout.write(JSON.stringify(said));
