/**
 * What steps did to names and attributes and a power cut may still undo. An fsync per step would cost one for each file
 * of a folder that is renamed; so the places are noted, and brought to the disk together before anybody relies on them.
 */
import { constants } from 'node:fs'
import { isDavitError } from '../model/errors.ts'
import type { FilePath } from '../model/file-state.ts'
import { nameOf, parentOf } from '../model/path.ts'
import type { FileCalls } from './file-calls.ts'
import { holdFolder } from './safe-path.ts'
import { isMissing, systemCode } from './system-error.ts'

export interface Unsettled {
  /** The names in this folder of the workspace (`''`: the root), or the attributes of this file, have changed. */
  note(target: FilePath): void
  /** The names in one of Davit's own folders, by its absolute path. */
  noteOwn(folder: string): void
  /** Resolves when all that was noted is on the disk. What is gone by then had nothing left to lose. */
  settle(): Promise<void>
}

export function createUnsettled(calls: FileCalls, root: string): Unsettled {
  const noted = new Set<FilePath>()
  const own = new Set<string>()

  async function sync(target: FilePath): Promise<void> {
    if (target === '') return syncPath(calls, root)
    const parent = holdOrNull(calls, root, parentOf(target))
    if (parent === null) return
    try {
      await syncPath(calls, parent.at(nameOf(target)))
    } finally {
      parent.close()
    }
  }
  return {
    note: (target) => void noted.add(target),
    noteOwn: (folder) => void own.add(folder),
    async settle() {
      // One by one: what fails stays noted, and so does what is noted meanwhile.
      for (const target of noted) {
        await sync(target)
        noted.delete(target)
      }
      for (const folder of own) {
        await syncPath(calls, folder)
        own.delete(folder)
      }
    },
  }
}

/** `null`: the folder is gone, or something else stands there. */
function holdOrNull(calls: FileCalls, root: string, folder: FilePath) {
  try {
    const held = holdFolder(calls, root, folder, { make: false })
    return held.kind === 'held' ? held.folder : null
  } catch (error) {
    if (isDavitError(error, 'path-unsafe', 'workspace-vanished')) return null
    throw error
  }
}

/** fsync of a folder or a file by its path. Of a link, of nothing, or of what may not be opened: none. */
export async function syncPath(calls: FileCalls, target: string): Promise<void> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  let fd: number
  try {
    fd = calls.openSync(target, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    if (isMissing(error) || ['ELOOP', 'EACCES', 'EPERM'].includes(systemCode(error))) return
    throw error
  }
  try {
    await calls.fsync(fd)
  } finally {
    calls.closeSync(fd)
  }
}
