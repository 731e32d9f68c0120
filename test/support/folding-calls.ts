/** System calls as a file system answers them that takes names for equal which differ in case or normalisation. */
import fs from 'node:fs'
import path from 'node:path'
import { type FileCalls, systemFileCalls } from '../../src/workspace/file-calls.ts'

function fold(name: string): string {
  return name.normalize('NFC').toLowerCase()
}

/** The path with its last name spelled as it stands on the disk. */
function asStored(target: string): string {
  const folder = path.dirname(target)
  const name = path.basename(target)
  try {
    const names = fs.readdirSync(folder)
    const stored = names.find((other) => other === name) ?? names.find((other) => fold(other) === fold(name))
    return path.join(folder, stored ?? name)
  } catch {
    return target
  }
}

export function foldingCalls(): FileCalls {
  const calls = systemFileCalls
  return {
    ...calls,
    lstatSync: ((target: string) => calls.lstatSync(asStored(target))) as typeof fs.lstatSync,
    openSync: (target, ...rest) => calls.openSync(asStored(String(target)), ...rest),
    mkdirSync: ((target: string, ...rest: []) =>
      calls.mkdirSync(asStored(target), ...rest)) as typeof fs.mkdirSync,
    unlinkSync: (target) => calls.unlinkSync(asStored(String(target))),
    rmdirSync: (target) => calls.rmdirSync(asStored(String(target))),
    linkSync: (from, to) => calls.linkSync(asStored(String(from)), asStored(String(to))),
    renameSync(from, to) {
      const source = asStored(String(from))
      const target = asStored(String(to))
      // A change of spelling takes the new one; onto another file the stored spelling stays.
      const found = fs.lstatSync(target, { throwIfNoEntry: false })
      const isSame = found !== undefined && found.ino === fs.lstatSync(source).ino
      calls.renameSync(source, isSame ? String(to) : target)
    },
  }
}
