/** A folder workspace on a real temporary folder, with the real clock: for tests of what the file system really does. */
import { randomBytes, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock, Random } from '../../src/model/clock.ts'
import {
  type FolderWorkspaceOptions,
  openFolderWorkspace,
  type RememberedRoot,
} from '../../src/workspace/folder-workspace.ts'
import type { ScanEntry, StagedContent, Workspace } from '../../src/workspace/workspace.ts'

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
}

export const realRandom: Random = {
  hex: (bytes) => randomBytes(bytes).toString('hex'),
  uuid: () => randomUUID(),
  fraction: () => Math.random(),
}

export interface TemporaryWorkspace {
  readonly workspace: Workspace
  readonly root: string
  readonly state: string
  readonly memory: { value: RememberedRoot | null }
  /** Absolute path of a workspace path. */
  at(path: string): string
  write(path: string, content: string): void
  read(path: string): string | null
  /** Contents of every file in the trash and the temporary folder of the state folder. */
  kept(): string[]
  dispose(): Promise<void>
}

export async function openTemporaryWorkspace(
  options: Partial<FolderWorkspaceOptions> & { readonly under?: string } = {},
): Promise<TemporaryWorkspace> {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(options.under ?? os.tmpdir(), 'davit-workspace-')))
  const root = options.root ?? path.join(base, 'root')
  fs.mkdirSync(root, { recursive: true })
  const state = options.stateFolder ?? path.join(root, '.davit')
  const memory: { value: RememberedRoot | null } = { value: null }
  const workspace = await openFolderWorkspace({
    root,
    stateFolder: state,
    identity: {
      read: () => memory.value,
      write: (value) => {
        memory.value = value
      },
    },
    ignore: [],
    watch: { mode: 'native', debounceMs: 20 },
    clock: realClock,
    random: realRandom,
    trashReserveBytes: 0,
    ...options,
  })
  const at = (target: string) => path.join(root, target)
  return {
    workspace,
    root,
    state,
    memory,
    at,
    write(target, content) {
      fs.mkdirSync(path.dirname(at(target)), { recursive: true })
      fs.writeFileSync(at(target), content)
    },
    read: (target) => (fs.existsSync(at(target)) ? fs.readFileSync(at(target), 'utf8') : null),
    kept: () =>
      ['trash', 'tmp'].flatMap((folder) =>
        filesBelow(path.join(state, folder)).map((file) => fs.readFileSync(file, 'utf8')),
      ),
    async dispose() {
      await workspace.close()
      fs.rmSync(base, { recursive: true, force: true })
    },
  }
}

export function filesBelow(folder: string): string[] {
  if (!fs.existsSync(folder)) return []
  return fs
    .readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
}

export async function scanAll(workspace: Workspace, under = '') {
  const entries: ScanEntry[] = []
  const problems: { path: string; code: string }[] = []
  for await (const batch of workspace.scan({ under })) {
    entries.push(...batch.entries)
    problems.push(...batch.problems.map(({ path, code }) => ({ path, code })))
  }
  return { entries, problems }
}

/** The stamp of what stands at a path. */
export async function stampAt(workspace: Workspace, target: string) {
  const entry = await workspace.look(target)
  if (entry === null || entry.kind === 'unknown') throw new Error(`nothing at ${target}`)
  return entry.stamp
}

export async function stageText(workspace: Workspace, text: string): Promise<StagedContent> {
  const bytes = new TextEncoder().encode(text)
  const staged = await workspace.stage(bytes.length)
  await staged.sink.write(bytes)
  await staged.finish({ durable: false })
  return staged
}

/** Resolves as soon as the condition holds; the test's own time limit ends what never does. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(5)
}
