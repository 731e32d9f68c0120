/** A folder for files that live for a moment: in memory where the system has such a place. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const memory = '/dev/shm'

export function makeScratchFolder(name: string): string {
  const base = fs.existsSync(memory) ? memory : os.tmpdir()
  return fs.realpathSync(fs.mkdtempSync(path.join(base, `davit-fuzz-${name}-`)))
}
