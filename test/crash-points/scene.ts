/**
 * What a scenario plays on: a few instances, each with its workspace, and the store that they share, all in one folder.
 * Prepared once, then copied for each crash point.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { loadEngine } from '../../src/cli/load-engine.ts'
import { runProgram } from '../../src/cli/program.ts'
import { openInstance } from '../../src/http/open-instance.ts'
import type { OpenedInstance } from '../../src/instance/compose-instance.ts'
import { loadConfiguration } from '../../src/instance/configuration.ts'
import { keepIdentity } from './keep-identity.ts'

const execute = promisify(execFile)

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export class Scene {
  /** Holds a folder for each instance, and `store`. */
  readonly folder: string
  readonly url: string
  /** SHA-256 of what people wrote, with a name for it: none of it may be lost. */
  readonly written: Map<string, string>
  /** What `prepare` found out and later steps need, such as the id of a conflict. */
  readonly notes: Map<string, string>

  constructor(
    folder: string,
    url: string,
    from: { readonly written: Map<string, string>; readonly notes: Map<string, string> } | null = null,
  ) {
    this.folder = folder
    this.url = url
    this.written = new Map(from?.written)
    this.notes = new Map(from?.notes)
  }

  /**
   * `isClone`: the state folders know that they were copied, as after a copy by hand. Otherwise each instance is taken
   * for the one that it was.
   */
  async copy(folder: string, url: string, options: { readonly isClone: boolean }): Promise<Scene> {
    await execute('cp', ['-a', this.folder, folder])
    const scene = new Scene(folder, url, this)
    if (!options.isClone)
      for (const name of await this.instances()) keepIdentity(this.path(name), scene.path(name))
    return scene
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  async instances(): Promise<string[]> {
    const names = await readdir(this.folder)
    return names.filter((name) => name.length === 1).sort()
  }

  // -- what people do ----------------------------------------------------------------------------------------------

  async write(instance: string, path: string, text: string, mode?: 'executable'): Promise<void> {
    const file = this.path(instance, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    if (mode === 'executable') await chmod(file, 0o755)
    this.written.set(createHash('sha256').update(text).digest('hex'), `${instance}/${path}`)
  }

  async makeFolder(instance: string, path: string): Promise<void> {
    await mkdir(this.path(instance, path), { recursive: true })
  }

  async rename(instance: string, from: string, to: string): Promise<void> {
    await mkdir(dirname(this.path(instance, to)), { recursive: true })
    await rename(this.path(instance, from), this.path(instance, to))
  }

  async swap(instance: string, one: string, other: string): Promise<void> {
    await this.rename(instance, one, `${one}.swapped`)
    await this.rename(instance, other, one)
    await this.rename(instance, `${one}.swapped`, other)
  }

  async remove(instance: string, path: string): Promise<void> {
    await rm(this.path(instance, path), { recursive: true })
  }

  // -- commands ----------------------------------------------------------------------------------------------------

  /** What a command of an instance is called with. */
  argumentsOf(instance: string, argv: readonly string[]): string[] {
    return [...argv, '--workspace', this.path(instance), '--remote', this.url, '--instance', instance]
  }

  /** A command in this process, from beginning to end. */
  async run(instance: string, ...argv: readonly string[]): Promise<Ended> {
    let stdout = ''
    let stderr = ''
    const code = await runProgram(
      this.argumentsOf(instance, argv),
      {
        stdout: {
          write: (text) => {
            stdout += String(text)
          },
        },
        stderr: {
          write: (text) => {
            stderr += String(text)
          },
        },
        isTerminal: false,
        columns: 80,
        environment: {},
        cwd: this.folder,
        onSignal: () => () => {},
        exit: () => {},
      },
      loadEngine,
    )
    return { code, stdout, stderr }
  }

  /** The instance in this process, for whoever asks: nothing runs by itself. */
  open(instance: string): Promise<OpenedInstance> {
    const configuration = loadConfiguration({
      options: { workspace: this.path(instance), remote: this.url, instance },
      environment: {},
      cwd: this.folder,
    })
    return openInstance(configuration, { passive: true })
  }

  /** A run that has to end in sync, or with conflicts; its summary. */
  async sync(instance: string, ...options: readonly string[]): Promise<Summary> {
    const ended = await this.run(instance, 'sync', '--json', ...options)
    if (ended.code === 0 || ended.code === 3) return JSON.parse(ended.stdout) as Summary
    throw new Error(`${instance}: sync ended with ${ended.code}\n${ended.stdout}\n${ended.stderr}`)
  }

  /** Two instances that share a store with what `a` holds. */
  async start(...others: readonly string[]): Promise<void> {
    for (const name of ['a', ...others]) {
      await this.makeFolder(name, '')
      await this.sync(name, '--create')
    }
  }

  /** Puts the store aside under a name, or brings it back as it was then. */
  async keepStore(label: string): Promise<void> {
    await execute('cp', ['-a', this.path('store'), this.path(`kept-${label}`)])
  }

  async bringBackStore(label: string): Promise<void> {
    await rm(this.path('store'), { recursive: true })
    await rename(this.path(`kept-${label}`), this.path('store'))
  }

  /** The one name in `version/`. */
  async heads(): Promise<string[]> {
    return readdir(this.path('store', 'version'))
  }

  async conflicts(instance: string): Promise<readonly ConflictSummary[]> {
    const { stdout } = await this.run(instance, 'conflicts', 'list', '--json')
    return (JSON.parse(stdout) as { items: ConflictSummary[] }).items
  }

  /** Every file and folder of a workspace in one line each, by path. */
  async tree(instance: string): Promise<Map<string, string>> {
    const root = this.path(instance)
    const found = new Map<string, string>()
    for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
      const path = join(entry.parentPath, entry.name).slice(root.length + 1)
      if (path.split('/')[0] === '.davit') continue
      // A file that stands aside has the minute in its name.
      const name = path.replace(/ \d{4}-\d\d-\d\d \d\d\.\d\d\)/g, ' …)')
      found.set(name, entry.isFile() ? await this.describe(join(root, path)) : 'folder')
    }
    return found
  }

  private async describe(file: string): Promise<string> {
    const hash = createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
    const { mode, mtimeMs } = await stat(file)
    // The time of what Davit itself wrote (a merge) is the time of writing.
    const time = this.written.has(hash) ? Math.floor(mtimeMs) : '-'
    return `${(mode & 0o100) !== 0 ? 'executable' : 'file'} ${hash.slice(0, 12)} ${time}`
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}

export interface Summary {
  readonly version: number
  readonly uploaded: number
  readonly downloaded: number
  readonly deleted: number
  readonly moved: number
  readonly metadata: number
  readonly problems: readonly unknown[]
}

export interface ConflictSummary {
  readonly id: string
  readonly path: string
  readonly aspect: string
  readonly kind: string
  readonly candidates: readonly { readonly instance: string; readonly hash: string | null }[]
}
