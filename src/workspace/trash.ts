/**
 * Where replaced and removed contents go for a while: `<state>/trash/<YYYY-MM-DD>/<hhmmss>-<random>/<path>`, times in
 * UTC. A person finds a file there under its own path.
 */
import { constants } from 'node:fs'
import path from 'node:path'
import type { FilePath } from '../model/file-state.ts'
import { nameOf, parentOf } from '../model/path.ts'
import type { FileCalls } from './file-calls.ts'
import { holdFolder, syncHeld } from './safe-path.ts'
import { lstatOrNull, makeOwnFolder, type StepContext, syncUpTo } from './steps.ts'
import { isMissing, isNameRefused, systemCode } from './system-error.ts'

/** Moves a file (by its system path) into the trash under the workspace path that it had. */
export async function moveToTrash(context: StepContext, file: string, filePath: FilePath): Promise<void> {
  const stamp = new Date(context.clock.now()).toISOString()
  const drawer = `${stamp.slice(11, 19).replaceAll(':', '')}-${context.random.hex(4)}`
  const base = path.join(context.stateFolder, 'trash', stamp.slice(0, 10), drawer)
  makeOwnFolder(context.calls, base)
  try {
    await moveInto(context, file, base, filePath)
  } catch (error) {
    // The path is too long below the trash: the name alone will do.
    if (!isNameRefused(error)) throw error
    await moveInto(context, file, base, nameOf(filePath))
  }
}

async function moveInto(context: StepContext, file: string, base: string, filePath: FilePath): Promise<void> {
  const held = holdFolder(context.calls, base, parentOf(filePath), { make: true })
  if (held.kind !== 'held') throw new Error(`the trash folder ${base} was disturbed`)
  const target = held.folder.at(nameOf(filePath))
  try {
    context.calls.renameSync(file, target)
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error
    await copyDurably(context.calls, file, target)
    // ORDER: two file systems know of no order between them: the copy is found on the disk before the file goes.
    await syncHeld(context.calls, base, held.folder)
    await syncUpTo(context.calls, base, context.stateFolder)
    context.calls.unlinkSync(file)
  } finally {
    held.folder.close()
  }
}

/** Copies to a name that is free, with times and mode, and returns when it is on the disk. */
export async function copyDurably(calls: FileCalls, source: string, target: string): Promise<void> {
  // Half a microsecond more, since the system truncates.
  const mtime = (Math.round(calls.lstatSync(source).mtimeMs * 1_000) + 0.5) / 1e6
  try {
    await calls.copyFile(source, target)
    const fd = calls.openSync(target, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      calls.futimesSync(fd, mtime, mtime)
      await calls.fsync(fd)
    } finally {
      calls.closeSync(fd)
    }
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') await calls.remove(target)
    throw error
  }
}

/** Removes drawers that were filled before `beforeMs`, and days that are empty. */
export async function emptyTrash(calls: FileCalls, stateFolder: string, beforeMs: number): Promise<void> {
  const trash = path.join(stateFolder, 'trash')
  if (lstatOrNull(calls, trash) === null) return
  for (const day of await calls.readdir(trash)) {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) continue
    for (const drawer of await calls.readdir(path.join(trash, day))) {
      const time = /^(\d{2})(\d{2})(\d{2})-/.exec(drawer)
      if (time === null) continue
      const filledAtMs = Date.parse(`${day}T${time[1]}:${time[2]}:${time[3]}Z`)
      if (filledAtMs < beforeMs) await calls.remove(path.join(trash, day, drawer))
    }
    try {
      calls.rmdirSync(path.join(trash, day))
    } catch (error) {
      if (!isMissing(error) && systemCode(error) !== 'ENOTEMPTY') throw error
    }
  }
}
