/** Clears what earlier processes left in the state folder. A content that has no other name goes to the trash. */
import path from 'node:path'
import { lstatOrNull, type StepContext } from './steps.ts'
import { emptyTrash, moveToTrash } from './trash.ts'

export async function cleanUp(
  context: StepContext,
  options: { readonly trashAgeMs: number; readonly nowMs: number },
): Promise<void> {
  const { calls } = context
  const folder = path.join(context.holdingFolder, 'tmp')
  for (const name of await calls.readdir(folder)) {
    if (name.includes(context.session)) continue
    const file = path.join(folder, name)
    const found = lstatOrNull(calls, file)
    if (found === null) continue
    // Held aside when the process ended: perhaps the last copy of what a person wrote.
    const isLast = name.startsWith('aside-') && (found.isDirectory() || found.nlink === 1)
    if (isLast) await moveToTrash(context, file, `recovered/${name}`)
    else await calls.remove(file)
  }
  await emptyTrash(calls, context.stateFolder, options.nowMs - options.trashAgeMs)
}
