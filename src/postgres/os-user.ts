// The operating system's user that PostgreSQL runs as: PostgreSQL refuses root, so root chooses
// another user, proves that this one can reach the data, and becomes it for good.
import { readFile, stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { UnderstudyError, assert, messageOf } from "../core/errors.ts";
import { realPathOf } from "./real-path.ts";
import { runProgram } from "./run-program.ts";

export interface OsUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** In this order, where root names none: the packages' own user, then one that every system has. */
const DEFAULT_USERS = ["postgres", "nobody"] as const;
const LOOKUP_TIMEOUT_MS = 5_000;

/**
 * Whom to run PostgreSQL as.
 * @returns null when that is ourselves: we are not root.
 * @throws UnderstudyError NO_USABLE_USER saying why the wanted user, or none at all, will do.
 */
export async function findOsUser(options: { wanted?: string } = {}): Promise<OsUser | null> {
  const { wanted } = options;
  if (process.getuid?.() !== 0) return checkOurselves(wanted);
  if (wanted !== undefined) return usable(await lookUp(wanted), wanted);
  for (const name of DEFAULT_USERS) {
    const user = await lookUp(name);
    if (user !== null && user.uid !== 0) return user;
  }
  throw new UnderstudyError(
    "NO_USABLE_USER",
    `PostgreSQL does not run as root, and there is no user ${DEFAULT_USERS.join(" or ")} to run it as`,
  );
}

function usable(user: OsUser | null, wanted: string): OsUser {
  if (user === null)
    throw new UnderstudyError(
      "NO_USABLE_USER",
      `cannot run PostgreSQL as ${JSON.stringify(wanted)}: there is no such user on this machine`,
    );
  if (user.uid === 0)
    throw new UnderstudyError(
      "NO_USABLE_USER",
      `cannot run PostgreSQL as ${wanted}: that is root, which PostgreSQL refuses`,
    );
  return user;
}

async function checkOurselves(wanted: string | undefined): Promise<null> {
  const name = ownName();
  if (wanted === undefined || wanted === name) return null;
  throw new UnderstudyError(
    "NO_USABLE_USER",
    `cannot run PostgreSQL as ${JSON.stringify(wanted)}: this command runs as ${name}, and only root can become another user`,
    { hint: "Leave --user away, or run the command as root." },
  );
}

/** initdb refuses a user without a name ("could not look up effective user ID"). */
function ownName(): string {
  try {
    return userInfo().username;
  } catch (cause) {
    throw new UnderstudyError(
      "NO_USABLE_USER",
      `PostgreSQL cannot run as user ${process.getuid?.()}: it has no entry in /etc/passwd (${messageOf(cause)})`,
      {
        cause,
        hint: "Add a line for it to /etc/passwd, or provide one by nss_wrapper (NSS_WRAPPER_PASSWD).",
      },
    );
  }
}

/** /etc/passwd first; directories such as LDAP only through getent, which musl systems may lack. */
async function lookUp(name: string): Promise<OsUser | null> {
  const file = await readFile("/etc/passwd", "utf8").catch(() => "");
  const local = parsePasswd({ text: file, name });
  if (local !== null || name.startsWith("-")) return local;
  try {
    const { status, stdout } = await runProgram({
      program: "getent",
      args: ["passwd", name],
      timeoutMs: LOOKUP_TIMEOUT_MS,
    });
    return status === 0 ? parsePasswd({ text: stdout, name }) : null;
  } catch {
    return null;
  }
}

/**
 * One user of a text such as /etc/passwd ("postgres:x:101:104:…:/var/lib/postgresql:/bin/bash"), or
 * null.
 */
export function parsePasswd({ text, name }: { text: string; name: string }): OsUser | null {
  for (const line of text.split("\n")) {
    const [found, , uid = "", gid = "", , home = ""] = line.split(":");
    if (found !== name || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) continue;
    return { name, uid: Number(uid), gid: Number(gid), home: home === "" ? "/" : home };
  }
  return null;
}

/**
 * Becomes that user in this process, for good: proven by trying to go back. Also sets umask 077 and
 * HOME, USER and LOGNAME, and goes to "/", because PostgreSQL's programs fail in a directory that
 * they cannot see: make relative paths absolute before. @throws UnderstudyError NO_USABLE_USER when
 * the system does not permit it.
 */
export function dropPrivileges(user: OsUser): void {
  assert(user.uid !== 0, "privileges are dropped to a user that is not root");
  const { setgid, setuid } = process;
  // Node's types leave this one out.
  const initgroups: unknown = Reflect.get(process, "initgroups");
  assert(setgid && setuid && typeof initgroups === "function", "root can change users");
  try {
    // The groups first: a user may not change them any more.
    Reflect.apply(initgroups, process, [user.name, user.gid]);
    setgid.call(process, user.gid);
    setuid.call(process, user.uid);
  } catch (cause) {
    throw new UnderstudyError(
      "NO_USABLE_USER",
      `cannot become user ${user.name}: ${messageOf(cause)}`,
      { cause, hint: "A container needs the capabilities SETUID and SETGID for it." },
    );
  }
  assert(isOnly(user) && !canBecomeRoot(), `this process is ${user.name} and cannot be root again`);
  process.umask(0o077);
  process.chdir("/");
  Object.assign(process.env, { HOME: user.home, USER: user.name, LOGNAME: user.name });
}

function isOnly(user: OsUser): boolean {
  return (
    process.getuid?.() === user.uid &&
    process.geteuid?.() === user.uid &&
    process.getgid?.() === user.gid &&
    process.getegid?.() === user.gid
  );
}

function canBecomeRoot(): boolean {
  try {
    process.setuid?.(0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Tries, as that user (null: ourselves), whether a directory can be used or made: the kernel
 * answers, so access lists, read-only file systems and NFS count. Only the user's first group is
 * tried. Where root makes the directory and hands it over, it is enough that the user may `enter`
 * what is above it.
 * @returns null when it can, else one sentence that names the directory in the way.
 */
export async function checkReachable(
  dir: string,
  user: OsUser | null,
  need: "write" | "enter" = "write",
): Promise<string | null> {
  const path = realPathOf(dir);
  const { stdout } = await runProgram({
    program: "/bin/sh",
    args: ["-c", REACH_SCRIPT, need, ...ancestorsOf(path)],
    cwd: "/",
    timeoutMs: LOOKUP_TIMEOUT_MS,
    ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
  });
  const [verdict, ...rest] = stdout.trimEnd().split(" ");
  const at = rest.join(" ");
  if (verdict === "ok") return null;
  const who = user?.name ?? userNameOrNumber();
  const subject = `user ${who} cannot use ${path}`;
  if (verdict === "file") return `${subject}: ${at} is no directory`;
  const act = verdict === "enter" ? "enter" : "write to";
  return `${subject}: it may not ${act} ${at}${await modeText(at)}`;
}

/**
 * Goes down from "/" to the first directory that does not exist; the one above it must be writable
 * where $0 says so.
 */
const REACH_SCRIPT = `
last=/
for d in "$@"; do
  if [ -d "$d" ]; then
    [ -x "$d" ] || { echo "enter $d"; exit; }
    last=$d
  elif [ -e "$d" ]; then echo "file $d"; exit
  else break
  fi
done
[ "$0" = enter ] || [ -w "$last" ] || { echo "write $last"; exit; }
echo ok`;

function ancestorsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [...ancestorsOf(parent), path];
}

async function modeText(path: string): Promise<string> {
  try {
    const { mode, uid } = await stat(path);
    return ` (mode ${(mode & 0o7777).toString(8).padStart(4, "0")}, owned by user ${uid})`;
  } catch {
    return "";
  }
}

function userNameOrNumber(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.());
  }
}
