// The root of a container that has musl and no glibc, as Alpine's images: from Debian's packages
// musl and busybox-static.
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { emptyRoot, link } from "./container.ts";

const TRIPLET = { x64: "x86_64", arm64: "aarch64" }[process.arch as "x64" | "arm64"];

export async function muslRoot(root: string): Promise<string> {
  await emptyRoot(root);
  await mkdir(join(root, "lib"));
  await mkdir(join(root, "bin"));
  await copyFile(`/lib/${TRIPLET}-linux-musl/libc.so`, join(root, `lib/ld-musl-${TRIPLET}.so.1`));
  await copyFile("/bin/busybox", join(root, "bin/busybox"));
  await link(join(root, "bin/sh"), "busybox");
  await writeFile(join(root, "etc/hosts"), "192.0.2.7 standby.example\n");
  return root;
}
