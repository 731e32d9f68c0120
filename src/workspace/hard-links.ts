/**
 * Files that have several names in the workspace. The system tells of a write under the name that was used and says
 * nothing of the others, so they are searched for when it happens, and remembered.
 */
import { lstatSync, readdirSync, type Stats } from 'node:fs'
import path from 'node:path'
import type { FilePath } from '../model/file-state.ts'
import { isMissing, isRefusal } from './system-error.ts'

/** Names that are remembered; where there are more, whoever asks has to look at everything. */
const namesMax = 100_000

interface LinkedFile {
  readonly links: number
  readonly names: Set<FilePath>
}

export interface HardLinks {
  /** Something happened to a file that has several names. */
  note(target: FilePath, stats: Stats): void
  /** All names of the files that were noted since, at most one search for all; `null` when they are too many. */
  take(): FilePath[] | null
}

export function createHardLinks(options: {
  readonly root: string
  /** The folders to search in. */
  folders(): Iterable<FilePath>
}): HardLinks {
  let known = new Map<string, LinkedFile>()
  const noted = new Map<string, { readonly target: FilePath; readonly links: number }>()

  function look(target: FilePath): Stats | null {
    try {
      return lstatSync(path.join(options.root, target), { throwIfNoEntry: false }) ?? null
    } catch (error) {
      if (isMissing(error) || isRefusal(error)) return null
      throw error
    }
  }

  /** Whether the names are still those of the file, and none has come or gone. */
  function isCurrent(key: string, target: FilePath, links: number): boolean {
    const file = known.get(key)
    if (file === undefined || file.links !== links || !file.names.has(target)) return false
    return [...file.names].every((name) => {
      const stats = look(name)
      return stats !== null && keyOf(stats) === key
    })
  }

  /** `false`: there are more than can be remembered. */
  function search(): boolean {
    known = new Map()
    let names = 0
    for (const folder of options.folders()) {
      for (const name of filesIn(path.join(options.root, folder))) {
        const target = folder === '' ? name : `${folder}/${name}`
        const stats = look(target)
        if (stats === null || !stats.isFile() || stats.nlink < 2) continue
        if (++names > namesMax) return false
        const file = known.get(keyOf(stats)) ?? { links: stats.nlink, names: new Set() }
        file.names.add(target)
        known.set(keyOf(stats), file)
      }
    }
    return true
  }

  return {
    note(target, stats) {
      noted.set(keyOf(stats), { target, links: stats.nlink })
    },
    take() {
      const files = [...noted]
      noted.clear()
      if (files.some(([key, { target, links }]) => !isCurrent(key, target, links)) && !search()) return null
      return files.flatMap(([key, { target }]) => [...(known.get(key)?.names ?? [target])])
    },
  }
}

function keyOf(stats: Stats): string {
  return `${stats.dev} ${stats.ino}`
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
  } catch (error) {
    if (isMissing(error) || isRefusal(error)) return []
    throw error
  }
}
