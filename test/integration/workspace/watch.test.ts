import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { isAtOrBelow } from '../../../src/model/path.ts'
import type { ChangeSink, ChangeSource } from '../../../src/workspace/change-source.ts'
import { openFolderWatches } from '../../../src/workspace/folder-watches.ts'
import { createIgnoreRules } from '../../../src/workspace/ignore-rules.ts'
import { openParcelChanges } from '../../../src/workspace/native-changes.ts'
import { difference } from '../../../src/workspace/polled-changes.ts'
import type { WorkspaceChange, WorkspaceWatch } from '../../../src/workspace/workspace.ts'
import { openTemporaryWorkspace, type TemporaryWorkspace, until } from '../../support/temporary-workspace.ts'

let temporary: TemporaryWorkspace
let watch: WorkspaceWatch
let changes: WorkspaceChange[]

async function start(
  mode: 'native' | 'polling' | 'off',
  prepare: () => void = () => undefined,
  debounceMs = 20,
) {
  changes = []
  temporary = await openTemporaryWorkspace({ watch: { mode, debounceMs, pollMs: 20 } })
  prepare()
  watch = await temporary.workspace.watch((change) => changes.push(change))
}
afterEach(() => temporary.dispose())

/** Whether somebody who looks at what was reported finds the path. */
function isCovered(target: string): boolean {
  return changes.some(
    (change) =>
      change.kind === 'everything' ||
      (change.kind === 'paths' && change.paths.some((reported) => isAtOrBelow(target, reported))),
  )
}

const at = (target: string) => temporary.at(target)
const gestures: Record<string, { before?: () => void; act: () => void; touched: string[] }> = {
  'a file is created': { act: () => fs.writeFileSync(at('a'), '1'), touched: ['a'] },
  'a file is edited in place': {
    before: () => temporary.write('d/a', '1'),
    act: () => fs.appendFileSync(at('d/a'), '2'),
    touched: ['d/a'],
  },
  'a file is saved by renaming over': {
    before: () => temporary.write('a', '1'),
    act: () => {
      fs.writeFileSync(at('a~'), '2')
      fs.renameSync(at('a~'), at('a'))
    },
    touched: ['a'],
  },
  'a file is deleted': {
    before: () => temporary.write('d/a', '1'),
    act: () => fs.rmSync(at('d/a')),
    touched: ['d/a'],
  },
  'a file is made executable': {
    before: () => temporary.write('a', '1'),
    act: () => fs.chmodSync(at('a'), 0o755),
    touched: ['a'],
  },
  'a deep folder appears with a file in it': {
    act: () => temporary.write('a/b/c/f', '1'),
    touched: ['a/b/c/f'],
  },
  'three hundred deep folders appear': {
    act: () => {
      for (let tree = 0; tree < 300; tree++) temporary.write(`t${tree}/b/c/f`, '1')
    },
    touched: Array.from({ length: 300 }, (_, tree) => `t${tree}/b/c/f`),
  },
  'a folder is removed and made again': {
    before: () => temporary.write('d/e/f', '1'),
    act: () => {
      fs.rmSync(at('d'), { recursive: true })
      temporary.write('d/e/g', '2')
    },
    touched: ['d/e/f', 'd/e/g'],
  },
  'a folder is moved in from outside': {
    before: () => {
      fs.mkdirSync(path.join(path.dirname(temporary.root), 'outside/x'), { recursive: true })
      fs.writeFileSync(path.join(path.dirname(temporary.root), 'outside/x/f'), '1')
    },
    act: () => fs.renameSync(path.join(path.dirname(temporary.root), 'outside'), at('in')),
    touched: ['in/x/f'],
  },
  'a folder is renamed and written into': {
    before: () => temporary.write('d/e/f', '1'),
    act: () => {
      fs.renameSync(at('d'), at('n'))
      fs.appendFileSync(at('n/e/f'), '2')
    },
    touched: ['d/e/f', 'n/e/f'],
  },
}

describe('native watching', () => {
  for (const [name, { before, act, touched }] of Object.entries(gestures))
    it(`${name}: flush hands it over, and what is written there later too`, async () => {
      await start('native', before)
      expect(watch.mode).toBe('native')
      act()
      expect(await watch.flush()).toBe(true)
      for (const target of touched)
        expect(isCovered(target), `${target}: ${JSON.stringify(changes)}`).toBe(true)

      changes.length = 0
      for (const target of touched) temporary.write(path.posix.join(path.posix.dirname(target), 'later'), 'x')
      expect(await watch.flush()).toBe(true)
      for (const target of touched)
        expect(isCovered(path.posix.join(path.posix.dirname(target), 'later'))).toBe(true)
    })

  it('reports by itself after the debounce', async () => {
    await start('native')
    temporary.write('a/b', '1')
    await until(() => isCovered('a/b'))
  })

  it('is quiet about the state folder and what is ignored', async () => {
    await start('native', () => temporary.write('.davitignore', 'build/\n*.tmp\n'))
    await watch.flush()
    changes.length = 0
    temporary.write('.davit/metadata.db', '1')
    temporary.write('build/x', '1')
    temporary.write('a.tmp', '1')
    expect(await watch.flush()).toBe(true)
    expect(changes).toEqual([])
  })

  it('tells of a folder that is empty now, since what was ignored in it is gone', async () => {
    await start('native', () => {
      temporary.write('.davitignore', '*.tmp\n')
      temporary.write('d/a.tmp', '1')
      temporary.write('d/b.tmp', '1')
    })
    await watch.flush()
    changes.length = 0
    fs.rmSync(at('d/a.tmp'))
    expect(await watch.flush()).toBe(true)
    expect(changes).toEqual([])
    fs.rmSync(at('d/b.tmp'))
    await until(() => isCovered('d'))
  })

  it('is not delayed for ever by constant writing', async () => {
    await start('native', undefined, 40)
    await until(() => {
      fs.appendFileSync(at('busy'), '.')
      return changes.length > 0
    })
  })

  it('says everything when very many paths change', async () => {
    await start('native', undefined, 200)
    for (let file = 0; file < 5_500; file++) fs.writeFileSync(at(`f${file}`), '')
    expect(await watch.flush()).toBe(true)
    expect(changes.some((change) => change.kind === 'everything')).toBe(true)
  })

  it('takes edited ignore rules up and says everything', async () => {
    await start('native')
    temporary.write('.davitignore', 'secret\n')
    await until(() => changes.some((change) => change.kind === 'everything'))
    expect(temporary.workspace.isIgnored('secret')).toBe(true)
    await until(async () => {
      changes.length = 0
      temporary.write('secret', String(changes.length))
      temporary.write('open', String(changes.length))
      return (await watch.flush()) && isCovered('open') && !isCovered('secret')
    })
  })

  it('says so when the root is removed, and sees changes again when it is back', async () => {
    await start('native', () => temporary.write('a', '1'))
    fs.rmSync(temporary.root, { recursive: true })
    await until(() => changes.some((change) => change.kind === 'root'))
    expect(await watch.flush()).toBe(false)
    changes.length = 0
    fs.mkdirSync(temporary.root)
    await until(() => changes.some((change) => change.kind === 'everything'))
    // A folder without Davit's own is not the workspace: nothing is written into it, and nothing is promised of it.
    expect(await watch.flush()).toBe(false)
    expect(fs.readdirSync(temporary.root)).toEqual([])
    fs.mkdirSync(temporary.at('.davit'))
    await until(async () => watch.flush())
    changes.length = 0
    temporary.write('b/c', '1')
    expect(await watch.flush()).toBe(true)
    expect(isCovered('b/c')).toBe(true)
  })

  it('says so when the root is replaced by another folder at once', async () => {
    await start('native', () => temporary.write('a', '1'))
    fs.renameSync(temporary.root, `${temporary.root}-old`)
    fs.mkdirSync(temporary.root)
    expect(await watch.flush()).toBe(false)
    await until(() => changes.some((change) => change.kind === 'root'))
    fs.mkdirSync(temporary.at('.davit'))
    await until(async () => watch.flush())
    temporary.write('b', '1')
    await until(() => isCovered('b'))
  })

  it('ends a flush with its signal, and answers false when closed', async () => {
    await start('native')
    await expect(watch.flush(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
    await watch.close()
    expect(await watch.flush()).toBe(false)
  })
})

describe('polling', () => {
  for (const [name, { before, act, touched }] of Object.entries(gestures))
    it(`${name}: it is found`, async () => {
      await start('polling', before)
      expect(watch.mode).toBe('polling')
      expect(await watch.flush()).toBe(false)
      act()
      await until(() => touched.every(isCovered))
    })

  it('compares two walks', () => {
    const before = { paths: ['a', 'b', 'd'], signatures: ['1', '1', '1'] }
    const after = { paths: ['b', 'c', 'd', 'e'], signatures: ['2', '1', '1', '1'] }
    expect(difference(before, after)).toEqual(['a', 'b', 'c', 'e'])
  })
})

it('polls, and says why, where native watching is impossible', async () => {
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'davit-state-'))
  changes = []
  temporary = await openTemporaryWorkspace({
    stateFolder: state,
    watch: { mode: 'native', debounceMs: 20, pollMs: 20 },
  })
  // No probe can be made: nothing could be promised of the events.
  temporary.write('.davit', 'a file')
  watch = await temporary.workspace.watch((change) => changes.push(change))
  fs.rmSync(state, { recursive: true })
  expect(watch.mode).toBe('polling')
  expect(watch.fallback).toContain('polled instead')
  temporary.write('a', '1')
  await until(() => isCovered('a'))
})

it('takes a queue that was full for one that overflowed', async () => {
  await start('off', () => temporary.write('d/a', '1'))
  let overflowed = false
  const failures: unknown[] = []
  const watches = openFolderWatches({
    root: temporary.root,
    rules: createIgnoreRules({ patterns: [], own: ['.davit'] }),
    onPath: () => undefined,
    onStale: () => {
      overflowed = true
    },
    onLost: () => undefined,
    onError: (error) => failures.push(error),
  })
  // The loop does not turn meanwhile, so the system has to keep them all.
  for (let write = 0; write < 20_000; write++) fs.appendFileSync(at(write % 2 === 0 ? 'd/a' : 'd/b'), '.')
  await until(() => overflowed)
  watches.close()
  expect(failures).toEqual([])
})

it('watching that is off reports nothing', async () => {
  await start('off')
  expect(watch.mode).toBe('off')
  expect(await watch.flush()).toBe(false)
})

it('the watcher of other platforms reports and answers probes', async () => {
  await start('off')
  const paths: string[] = []
  const sink: ChangeSink = {
    paths: (found) => void paths.push(...found),
    lost: () => undefined,
    stale: () => undefined,
    failed: () => undefined,
  }
  const rules = createIgnoreRules({ patterns: [], own: ['.davit'] })
  const source: ChangeSource = await openParcelChanges({ root: temporary.root, rules, sink })
  try {
    temporary.write('a', '1')
    expect(await source.probe(new AbortController().signal)).toBe(true)
    expect(new Set(paths)).toEqual(new Set(['a']))
    expect(await source.probe(AbortSignal.timeout(0)).catch(() => false)).toBeTypeOf('boolean')
  } finally {
    await source.close()
  }
})
