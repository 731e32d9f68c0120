/** How long and what is tried: few objects with each `npm test`, whatever `scripts/fuzz.mjs` asks for otherwise. */
import fs from 'node:fs'
import path from 'node:path'
import type { Finding } from './run.ts'

export interface FuzzSettings {
  readonly seed: number
  readonly from: number
  readonly count: number
  /** Kinds by name; empty for all. */
  readonly only: readonly string[]
  readonly isLong: boolean
}

export function settingsFor(countByDefault: number): FuzzSettings {
  const { DAVIT_FUZZ_OBJECTS: objects, DAVIT_FUZZ_SEED, DAVIT_FUZZ_FROM, DAVIT_FUZZ_KIND } = process.env
  return {
    seed: Number(DAVIT_FUZZ_SEED ?? 1),
    from: Number(DAVIT_FUZZ_FROM ?? 0),
    count: objects === undefined ? countByDefault : Number(objects),
    only: (DAVIT_FUZZ_KIND ?? '').split(',').filter((name) => name !== ''),
    isLong: objects !== undefined,
  }
}

const noteBytes = 64

/**
 * Writes down what is tried now, where the script that watches can read it: a hang cannot tell of itself. `undefined`
 * when nobody watches.
 */
export function progressNote(): ((kind: string, number: number) => void) | undefined {
  const file = process.env['DAVIT_FUZZ_PROGRESS']
  if (file === undefined) return undefined
  const fd = fs.openSync(file, 'w')
  const line = Buffer.alloc(noteBytes)
  let tried = 0
  let memoryMb = 0
  return (kind, number) => {
    if (tried++ % 256 === 0) memoryMb = Math.round(process.memoryUsage.rss() / 2 ** 20)
    line.fill(' ').write(`${kind} ${number} ${memoryMb}`)
    fs.writeSync(fd, line, 0, noteBytes, 0)
  }
}

/** Keeps the object of a finding, and says how it is tried again. */
export function keep({ kind, seed, number, complaint, object, smallest }: Finding): void {
  const folder = process.env['DAVIT_FUZZ_FINDINGS']
  if (folder === undefined) return
  fs.mkdirSync(folder, { recursive: true })
  const name = path.join(folder, `${kind}-${seed}-${number}`)
  fs.writeFileSync(`${name}.object`, object)
  fs.writeFileSync(`${name}.smallest`, smallest)
  fs.writeFileSync(`${name}.txt`, `${kind}, seed ${seed}, number ${number}\n\n${complaint}\n`)
}

/** A finding as a failing test shows it. */
export function shown({ kind, seed, number, complaint, smallest }: Finding): object {
  const text = Buffer.from(smallest).toString().slice(0, 600)
  return { kind, seed, number, complaint: complaint.slice(0, 1_500), smallest: text }
}
