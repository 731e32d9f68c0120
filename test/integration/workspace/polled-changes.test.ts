import { afterEach, expect, it } from 'vitest'
import { createIgnoreRules } from '../../../src/workspace/ignore-rules.ts'
import { openPolledChanges } from '../../../src/workspace/polled-changes.ts'
import type { Scanner } from '../../../src/workspace/scanner.ts'
import type { ScanEntry } from '../../../src/workspace/workspace.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** Polls once a second what `see` says is there. */
async function openPolled(see: () => ScanEntry[]) {
  const clock = new ManualClock()
  const told: string[][] = []
  const scanner: Scanner = {
    async *scan() {
      yield { entries: see(), problems: [] }
    },
    close: async () => undefined,
  }
  const source = await openPolledChanges({
    root: '/nowhere',
    rules: () => createIgnoreRules({ patterns: [], own: ['.davit'] }),
    scanner,
    clock,
    pollMs: 1_000,
    sink: {
      paths: (paths) => void told.push([...paths]),
      lost: () => undefined,
      stale: () => undefined,
      failed: (reason) => void told.push([reason]),
    },
  })
  closing.push(() => source.close())
  return { clock, told }
}

const stamp = (inode: number, changedMs: number) => ({
  size: 3,
  mtimeMs: changedMs,
  ctimeMs: changedMs,
  inode,
  birthtimeMs: 0,
})

it('an empty folder that was removed and made again between two walks is told', async () => {
  let inode = 1
  const { clock, told } = await openPolled(() => [{ kind: 'folder', path: 'd', stamp: stamp(inode, 1.5) }])
  await clock.advance(1_000)
  expect(told).toEqual([])
  inode = 2
  await clock.advance(1_000)
  expect(told).toEqual([['d']])
})

it('a file changed in a second that has just passed is told until nothing can hide in it', async () => {
  const now = new ManualClock().now()
  const file = (path: string, changedMs: number): ScanEntry => ({
    kind: 'file',
    path,
    stamp: stamp(1, changedMs),
    executable: false,
    mtimeUs: changedMs * 1_000,
  })
  const { clock, told } = await openPolled(() => [
    file('fine', now + 0.5),
    file('old', 1_000),
    file('whole', now),
  ])
  await clock.advance(5_000)
  // Walks at 0 s and 1 s found it fresh.
  expect(told).toEqual([['whole'], ['whole']])
})
