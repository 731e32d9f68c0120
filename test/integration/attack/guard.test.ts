import fs from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isDavitError } from '../../../src/model/errors.ts'
import { Engine, type EngineOptions } from '../../../src/sync/engine.ts'
import type { Workspace } from '../../../src/workspace/workspace.ts'
import { createReplicas, type Replica, type Replicas } from '../../support/replicas.ts'
import { realClock } from '../../support/temporary-workspace.ts'

const options: EngineOptions = {
  mode: 'manual',
  pollMs: 60_000,
  fullScanMs: 0,
  watch: false,
  create: true,
}
const names = Array.from({ length: 24 }, (_, index) => `f${String(index).padStart(2, '0')}.txt`)

let replicas: Replicas
beforeEach(() => {
  replicas = createReplicas()
})
afterEach(() => replicas.close())

function remove(replica: Replica, from: number, to: number): void {
  for (const name of names.slice(from, to)) fs.rmSync(replica.files.at(name))
}

test('a forced preview that waits does not lift the guard for a run that another asked for', async () => {
  const a = await replicas.open('a')
  for (const name of names) a.files.write(name, name)
  await a.sync()
  remove(a, 0, 24)
  const engine = new Engine(a.context, options)
  const first = engine.request({ trigger: 'request' })
  const preview = engine.request({ trigger: 'request', force: true, dryRun: true })
  const ordinary = engine.request({ trigger: 'request' })
  const summaries = await Promise.all([first.finished, preview.finished, ordinary.finished])
  expect(summaries.map(({ kind }) => kind)).toEqual(['incremental', 'dry-run', 'incremental'])
  expect(summaries.map(({ outcome }) => outcome)).toEqual(['halted', 'in-sync', 'halted'])
  expect(a.database.trees.counts().remoteFiles).toBe(24)
  await engine.close()
})

test('a plan that the guard has halted is not allowed by waiting', async () => {
  let ahead = 0
  const clock = { ...realClock, now: () => Date.now() + ahead }
  const a = await replicas.open('a', { clock })
  const engine = new Engine(a.context, options)
  const run = () => engine.request({ trigger: 'request', full: true }).finished
  for (const name of names) a.files.write(name, name)
  await run()
  remove(a, 0, 10)
  expect((await run()).outcome).toBe('in-sync')
  remove(a, 10, 14)
  expect((await run()).outcome).toBe('halted')
  await engine.request({ trigger: 'request', full: true, force: true, dryRun: true }).finished
  ahead += 11 * 60_000
  expect((await run()).outcome).toBe('halted')
  expect(a.database.trees.counts().remoteFiles).toBe(14)
  await engine.close()
})

test('what a commit deleted whose answer was lost counts towards the next plan', async () => {
  const a = await replicas.open('a')
  for (const name of names) a.files.write(name, name)
  await a.sync()
  remove(a, 0, 10)
  let isSent = false
  a.onRequest = ({ method }) => {
    if (isSent) throw new Error('the line is cut')
    isSent = method === 'MOVE'
  }
  await expect(a.sync()).rejects.toThrow('the line is cut')
  a.onRequest = () => undefined
  remove(a, 10, 20)
  const failure = await a.sync().catch((error: unknown) => error)
  expect(isDavitError(failure, 'deletion-guard')).toBe(true)
  expect(a.database.trees.counts().remoteFiles).toBe(14)
})

test('a file that has to stay as it is here does not keep the instance busy', async () => {
  const a = await replicas.open('a')
  const b = await replicas.open('b')
  a.files.write('x.txt', 'x\n')
  await a.sync()
  await b.sync()
  fs.renameSync(a.files.at('x.txt'), a.files.at('x?'))
  await a.sync()
  const workspace: Workspace = {
    ...b.context.workspace,
    move: async () => ({ kind: 'unrepresentable', detail: 'no ? here' }),
  }
  const engine = new Engine({ ...b.context, workspace }, { ...options, mode: 'auto' })
  await engine.start()
  const turns = async () => {
    for (let turn = 0; turn < 4; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      await engine.request({ trigger: 'request' }).finished
    }
  }
  await turns()
  const before = b.events.length
  await turns()
  expect(b.tree()['x.txt']).toBe('x\n')
  const started = b.events.slice(before).filter(({ type }) => type === 'sync.started')
  expect(started.filter(({ data }) => data['trigger'] === 'watch')).toEqual([])
  await engine.close()
})
