// A test that is started as root goes on as the user that tests run PostgreSQL as, like an agent
// that drops root.
import { testUser } from "./test-user.ts";

/** For the whole process, and for good. Call it after what needs root, before the first server. */
export async function dropPrivileges(): Promise<void> {
  const user = await testUser();
  if (user === undefined) return;
  process.setgroups?.([user.gid]);
  process.setgid?.(user.gid);
  process.setuid?.(user.uid);
}
