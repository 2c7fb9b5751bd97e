// A disk of its own for a member: a small tmpfs is its whole directory, in a mount namespace that
// only the cluster sees. For a member that is still to come.
import { mkdir, stat } from "node:fs/promises";
import type { TestCluster } from "./local-cluster.ts";
import type { MountNamespace } from "./mount-namespace.ts";

export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #space: MountNamespace;
  readonly #cluster: TestCluster;

  private constructor(of: { space: MountNamespace; cluster: TestCluster; path: string }) {
    this.path = of.path;
    this.#space = of.space;
    this.#cluster = of.cluster;
  }

  static async mount(
    { space, cluster }: { space: MountNamespace; cluster: TestCluster },
    of: { member: string; megabytes: number },
  ): Promise<SmallDisk> {
    const path = cluster.paths(of.member).root;
    await mkdir(path, { mode: 0o700 });
    const { uid, gid } = await stat(cluster.dir);
    // Who is root only inside of the namespace is the owner already.
    const owner = process.getuid?.() === 0 ? `,uid=${uid},gid=${gid}` : "";
    const options = `size=${of.megabytes}m,mode=0700${owner}`;
    await space.asRoot(`mount -t tmpfs -o ${options} tmpfs "${path}"`);
    return new SmallDisk({ space, cluster, path });
  }

  grow(megabytes: number): Promise<string> {
    return this.#space.asRoot(`mount -t tmpfs -o remount,size=${megabytes}m tmpfs "${this.path}"`);
  }

  /**
   * Nothing may live on it when it goes, and a mounted directory cannot be deleted with its
   * cluster.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.run(["down"]);
    await this.#space.asRoot(`umount "${this.path}"`);
  }
}
