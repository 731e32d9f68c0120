/** Where scenes are played: a temporary folder, served as it is by one embedded WebDAV server in a process of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { davit, type Running } from '../support/process.ts'

export class Stage {
  readonly folder: string
  private readonly url: string
  private readonly server: Running
  private count = 0

  private constructor(folder: string, url: string, server: Running) {
    this.folder = folder
    this.url = url
    this.server = server
  }

  static async open(): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'davit-crash-'))
    const server = davit(['webdav', '--root', folder])
    const [, url = ''] = await server.line(/^davit webdav ready (\S+)$/)
    return new Stage(folder, url, server)
  }

  /** A folder that nothing else uses, and the URL of the store in it. */
  place(name: string): { readonly folder: string; readonly url: string } {
    const unique = `${name}-${++this.count}`
    return { folder: join(this.folder, unique), url: `${this.url}/${unique}/store` }
  }

  /** Removes everything, unless something is to be looked at. */
  async close(options: { readonly keep: boolean }): Promise<void> {
    await this.server.stop()
    if (!options.keep) await rm(this.folder, { recursive: true, force: true })
  }
}
