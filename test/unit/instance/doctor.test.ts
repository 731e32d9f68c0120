import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../../src/database/open-database.ts'
import { verdictOf } from '../../../src/instance/doctor.ts'
import { judgeLocal } from '../../../src/instance/judge-local.ts'
import { gatherLocalFacts, type LocalFacts } from '../../../src/instance/local-facts.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-doctor-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function gather(watchMode: 'native' | 'off' = 'native'): Promise<LocalFacts> {
  const watch = { mode: watchMode, debounceMs: 200 }
  return gatherLocalFacts({ workspace: join(folder, 'ws'), state: join(folder, 'ws/.davit'), watch })
}

function makeState(): string {
  mkdirSync(join(folder, 'ws/.davit'), { recursive: true, mode: 0o700 })
  return join(folder, 'ws/.davit')
}

function levels(facts: LocalFacts): Record<string, string> {
  return Object.fromEntries(judgeLocal(facts).map(({ id, level }) => [id, level]))
}

describe('this machine', () => {
  it('without a workspace misses something', async () => {
    expect(levels(await gather())).toMatchObject({ workspace: 'missing', state: 'note' })
  })

  it('with a file in the place of the workspace misses something', async () => {
    writeFileSync(join(folder, 'ws'), 'a file')
    expect(levels(await gather())).toMatchObject({ workspace: 'missing' })
  })

  it('with a workspace and a state is as it should be', async () => {
    makeState()
    mkdirSync(join(folder, 'ws/a/b'), { recursive: true })
    const facts = await gather()
    expect(facts.watch.folders).toBe(4)
    expect(levels(facts)).toMatchObject({ workspace: 'good', state: 'good', watch: 'good' })
  })

  it('where nothing is watched asks for no watches', async () => {
    makeState()
    const facts = await gather('off')
    expect([facts.watch.folders, levels(facts)['watch']]).toEqual([null, 'note'])
  })

  it('on which others can read a secret says so, with its name', async () => {
    const state = makeState()
    for (const name of ['token', 'password']) writeFileSync(join(state, name), 'secret', { mode: 0o600 })
    expect((await gather()).openSecrets).toEqual([])
    chmodSync(state, 0o755)
    chmodSync(join(state, 'password'), 0o644)
    const facts = await gather()
    expect(facts.openSecrets).toEqual(['password'])
    expect(levels(facts)).toMatchObject({ secrets: 'but' })
    expect(JSON.stringify(judgeLocal(facts))).not.toContain('"secret"')
  })

  it('tells of each fork that the index remembers, beside an instance that works with it', async () => {
    const database = openDatabase({ file: join(makeState(), 'metadata.db'), instance: () => '' })
    expect(levels(await gather())).toMatchObject({ index: 'good', forks: 'good' })
    for (const at of ['2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'])
      database.events.append({ type: 'remote.fork', data: {} }, at, 'anna')
    const facts = await gather()
    expect(facts.index).toMatchObject({ forks: 2, lastForkAt: '2026-02-01T00:00:00.000Z', check: 'ok' })
    expect(levels(facts)).toMatchObject({ forks: 'but' })
    database.close()
  })

  it('with something else in the place of the index misses something, and leaves it as it is', async () => {
    writeFileSync(join(makeState(), 'metadata.db'), 'no database at all, and long enough to be looked at')
    expect(levels(await gather())).toMatchObject({ index: 'missing' })
  })

  it('is told what is scarce: space, watches, a disk of its own', async () => {
    makeState()
    const facts = await gather()
    const scarce: LocalFacts = {
      ...facts,
      workspace: { ...facts.workspace, freeBytes: 1_000_000, network: 'NFS' },
      state: { ...facts.state, network: 'SMB' },
      watch: { mode: 'native', refused: null, limit: 8_192, folders: 9_000 },
    }
    expect(levels(scarce)).toMatchObject({
      space: 'but',
      watch: 'but',
      'state-network': 'but',
      'workspace-network': 'but',
    })
    const none: LocalFacts = { ...facts, watch: { ...facts.watch, refused: 'ENOSPC' } }
    expect(levels(none)).toMatchObject({ watch: 'but' })
  })
})

describe('the verdict', () => {
  const finding = (level: 'good' | 'note' | 'but' | 'missing') => ({ id: 'x', level, summary: 'x' })

  it('is that of the worst finding, and unknown only where nothing needed is missing', () => {
    expect(verdictOf([finding('good'), finding('note')], true)).toBe('safe')
    expect(verdictOf([finding('good'), finding('but')], true)).toBe('works')
    expect(verdictOf([finding('but'), finding('missing')], true)).toBe('not-safe')
    expect(verdictOf([finding('but')], false)).toBe('unknown')
    expect(verdictOf([finding('missing')], false)).toBe('not-safe')
  })
})
