/** Clears what earlier processes left in the state folder. A content that has no other name goes to the trash. */
import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { lstatOrNull, type StepContext } from './steps.ts'
import { emptyTrash, moveToTrash } from './trash.ts'

export async function cleanUp(
  context: StepContext,
  options: { readonly trashAgeMs: number; readonly nowMs: number },
): Promise<void> {
  const folder = path.join(context.holdingFolder, 'tmp')
  for (const name of await readdir(folder)) {
    if (name.includes(context.session)) continue
    const file = path.join(folder, name)
    const found = lstatOrNull(context.calls, file)
    if (found === null) continue
    // Held aside when the process ended: perhaps the last copy of what a person wrote.
    const isLast = name.startsWith('aside-') && (found.isDirectory() || found.nlink === 1)
    if (isLast) await moveToTrash(context, file, `recovered/${name}`)
    else await rm(file, { recursive: true, force: true })
  }
  await emptyTrash(context.stateFolder, options.nowMs - options.trashAgeMs)
}
