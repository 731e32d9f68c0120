/**
 * Brings back files that a crash left in the state folder in the middle of a cycle of renames. Afterwards the scan
 * finds them under whatever name they took, and knows them by their inode.
 */

import { liveState } from '../model/dirtiness.ts'
import type { FilePath } from '../model/file-state.ts'
import { nameOf, parentOf } from '../model/path.ts'
import { nowIso, type SyncContext } from './context.ts'

export async function recoverParked(context: SyncContext): Promise<void> {
  const ids = await context.workspace.parked()
  for (const id of ids) {
    const triple = context.database.trees.triple(id)
    // ORDER: where it came from first, since it may have both names still.
    const wanted = [triple.local?.state.path, liveState(triple)?.path].filter((path) => path !== undefined)
    const base = wanted.at(-1) ?? `recovered-${id}`
    for (let attempt = 1; attempt <= 100; attempt++) {
      const candidates = attempt === 1 ? wanted : [asideName(base, nowIso(context), attempt - 1)]
      let isBack = false
      for (const path of candidates) {
        const result = await context.workspace.unpark(id, path)
        if (result.kind !== 'done') continue
        isBack = true
        break
      }
      if (isBack) break
    }
  }
  if (ids.length > 0) await context.workspace.makeDurable()
}

function asideName(path: FilePath, at: string, number: number): FilePath {
  const folder = parentOf(path)
  const name = nameOf(path)
  const dot = name.lastIndexOf('.')
  const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, '']
  const mark = `${at.slice(0, 10)} ${at.slice(11, 13)}.${at.slice(14, 16)}`
  const fresh = `${stem} (recovered ${mark}${number > 1 ? ` ${number}` : ''})${extension}`
  return folder === '' ? fresh : `${folder}/${fresh}`
}
