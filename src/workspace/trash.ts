/**
 * Where replaced and removed contents go for a while: `<state>/trash/<YYYY-MM-DD>/<hhmmss>-<random>/<path>`, times in
 * UTC. A person finds a file there under its own path.
 */
import { constants, existsSync } from 'node:fs'
import { copyFile, open, readdir, rm, rmdir, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import type { FilePath } from '../model/file-state.ts'
import { nameOf, parentOf } from '../model/path.ts'
import { holdFolder } from './safe-path.ts'
import { makeOwnFolder, type StepContext } from './steps.ts'
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
    await copyDurably(file, target)
    context.calls.unlinkSync(file)
  } finally {
    held.folder.close()
  }
}

/** Copies to a name that is free, with times and mode, and returns when it is on the disk. */
export async function copyDurably(source: string, target: string): Promise<void> {
  const { COPYFILE_EXCL, COPYFILE_FICLONE } = constants
  const { atime, mtime } = await stat(source)
  try {
    await copyFile(source, target, COPYFILE_EXCL | COPYFILE_FICLONE)
    await utimes(target, atime, mtime)
    const handle = await open(target, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') await rm(target, { force: true })
    throw error
  }
}

/** Removes drawers that were filled before `beforeMs`, and days that are empty. */
export async function emptyTrash(stateFolder: string, beforeMs: number): Promise<void> {
  const trash = path.join(stateFolder, 'trash')
  if (!existsSync(trash)) return
  for (const day of await readdir(trash)) {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) continue
    for (const drawer of await readdir(path.join(trash, day))) {
      const time = /^(\d{2})(\d{2})(\d{2})-/.exec(drawer)
      if (time === null) continue
      const filledAtMs = Date.parse(`${day}T${time[1]}:${time[2]}:${time[3]}Z`)
      if (filledAtMs < beforeMs) await rm(path.join(trash, day, drawer), { recursive: true, force: true })
    }
    try {
      await rmdir(path.join(trash, day))
    } catch (error) {
      if (!isMissing(error) && systemCode(error) !== 'ENOTEMPTY') throw error
    }
  }
}
