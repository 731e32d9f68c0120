/** What this machine offers an instance: its folders, its disk, its watches, its index. Looks, and changes nothing. */
import { constants, existsSync, readFileSync, statSync, watch } from 'node:fs'
import { access, readdir, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type IndexSummary, readIndexSummary } from '../database/index-summary.ts'
import { countedFoldersMax } from '../model/limits.ts'
import type { Configuration } from './configuration.ts'

export interface FolderFacts {
  readonly path: string
  readonly state: 'writable' | 'read-only' | 'unreadable' | 'missing' | 'no-folder'
  /** For this user, in bytes; `null` where the system does not tell. */
  readonly freeBytes: number | null
  /** The name of a file system that other machines can write to; `null` for any other. */
  readonly network: string | null
}

export interface LocalFacts {
  readonly workspace: FolderFacts
  readonly state: FolderFacts
  /** Secrets in the state folder that others on this machine can read. */
  readonly openSecrets: readonly string[]
  readonly watch: {
    readonly mode: 'native' | 'polling' | 'off'
    /** Why the system gives no watch at all; `null` when it gives one, or none is wanted. */
    readonly refused: string | null
    /** Watches that this user may have, and folders of the workspace; `null` where it cannot be told. */
    readonly limit: number | null
    readonly folders: number | null
  }
  /** `null`: there is none yet. */
  readonly index: IndexSummary | { readonly failure: string } | null
  readonly versions: { readonly davit: string; readonly node: string; readonly platform: string }
}

/** Rejects only with the signal's reason: whatever else is met is a fact. */
export async function gatherLocalFacts(
  configuration: Pick<Configuration, 'workspace' | 'state' | 'watch'>,
  signal?: AbortSignal,
): Promise<LocalFacts> {
  const { workspace, state } = configuration
  return {
    workspace: await factsOfFolder(workspace),
    state: await factsOfFolder(state),
    openSecrets: openSecrets(state),
    watch: await watchFacts(configuration, signal),
    index: indexFacts(join(state, 'metadata.db')),
    versions: {
      davit: packageVersion(),
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
    },
  }
}

async function factsOfFolder(path: string): Promise<FolderFacts> {
  return { path, state: await stateOf(path), ...(await diskOf(path)) }
}

async function stateOf(path: string): Promise<FolderFacts['state']> {
  try {
    if (!(await stat(path)).isDirectory()) return 'no-folder'
    await access(path, constants.R_OK | constants.X_OK)
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(codeOf(error)) ? 'missing' : 'unreadable'
  }
  try {
    await access(path, constants.W_OK)
    return 'writable'
  } catch {
    // Whatever the reason: nothing can be written here.
    return 'read-only'
  }
}

/** By the kernel's numbers. What lies there can change without any event on this machine. */
const networks: Readonly<Record<number, string>> = {
  26985: 'NFS',
  20859: 'SMB',
  4283649346: 'SMB',
  4266872130: 'SMB',
  1702057286: 'FUSE',
  16914839: '9p',
}

/** Of a folder that is not there: of the nearest one above it. */
async function diskOf(path: string): Promise<Pick<FolderFacts, 'freeBytes' | 'network'>> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize, type } = await statfs(folder)
      const network = process.platform === 'linux' ? (networks[type] ?? null) : null
      return { freeBytes: bavail * bsize, network }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || dirname(folder) === folder) return { freeBytes: null, network: null }
    }
  }
}

function openSecrets(state: string): string[] {
  if (process.platform === 'win32') return []
  return ['token', 'password', 'davit.yml'].filter((name) => {
    const file = join(state, name)
    // Behind a folder that nobody else may enter a file may have any mode.
    if (!existsSync(file) || (statSync(file).mode & 0o077) === 0 || (statSync(state).mode & 0o011) === 0)
      return false
    return name !== 'davit.yml' || holdsPassword(file)
  })
}

function holdsPassword(file: string): boolean {
  try {
    return /^\s*(password|token)\s*:/m.test(readFileSync(file, 'utf8'))
  } catch {
    // It cannot even be read by its owner: it is told where it is used.
    return false
  }
}

async function watchFacts(
  { workspace, watch: { mode } }: Pick<Configuration, 'workspace' | 'watch'>,
  signal?: AbortSignal,
): Promise<LocalFacts['watch']> {
  if (mode !== 'native' || process.platform !== 'linux')
    return { mode, refused: null, limit: null, folders: null }
  const refused = existsSync(workspace) ? refusalOfWatch(workspace) : null
  return { mode, refused, limit: watchLimit(), folders: await countFolders(workspace, signal) }
}

/** Tries it: one watch, given back at once. */
function refusalOfWatch(folder: string): string | null {
  try {
    watch(folder, { persistent: false }).close()
    return null
  } catch (error) {
    return codeOf(error)
  }
}

function watchLimit(): number | null {
  try {
    return Number(readFileSync('/proc/sys/fs/inotify/max_user_watches', 'utf8')) || null
  } catch {
    // A system that does not tell.
    return null
  }
}

/** Of the workspace, ignored ones too: an upper bound of what is watched. `null` when they are too many to count. */
async function countFolders(root: string, signal?: AbortSignal): Promise<number | null> {
  const open = [root]
  let count = 0
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    signal?.throwIfAborted()
    if (++count > countedFoldersMax) return null
    try {
      for (const entry of await readdir(folder, { withFileTypes: true }))
        if (entry.isDirectory()) open.push(join(folder, entry.name))
    } catch {
      // Gone meanwhile, or not to be read: it is not watched either.
    }
  }
  return count
}

function indexFacts(file: string): LocalFacts['index'] {
  if (!existsSync(file)) return null
  try {
    return readIndexSummary(file)
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}
