import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '../../../src/database/open-database.ts'
import { identify } from '../../../src/instance/identity.ts'
import { Engine } from '../../../src/sync/engine.ts'
import { createReplicas, type Replicas } from '../../support/replicas.ts'
import { realRandom } from '../../support/temporary-workspace.ts'

let replicas: Replicas
beforeEach(() => {
  replicas = createReplicas()
})
afterEach(() => replicas.close())

test('closing waits for exclusive work that is under way, and lets none begin', async () => {
  const a = await replicas.open('a')
  const engine = new Engine(a.context, {
    mode: 'manual',
    pollMs: 60_000,
    fullScanMs: 0,
    watch: false,
    create: true,
  })
  const done: string[] = []
  let finish = () => {}
  const first = engine.exclusively(async () => {
    await new Promise<void>((resolve) => {
      finish = resolve
    })
    done.push('work')
  })
  const second = engine.exclusively(async () => {
    done.push('late work')
  })
  await new Promise((resolve) => setImmediate(resolve))
  const closed = engine.close().then(() => done.push('closed'))
  await new Promise((resolve) => setImmediate(resolve))
  finish()
  await first
  await expect(second).rejects.toMatchObject({ code: 'stopped' })
  await closed
  expect(done).toEqual(['work', 'closed'])
})

test('a copied state folder is told apart again when the first start on it was cut short', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'davit-identity-'))
  try {
    const database = openDatabase({ file: path.join(folder, 'metadata.db'), instance: () => 'x' })
    const here = { machine: 'one', stateFolder: folder }
    const original = identify(database, here, realRandom)
    expect(original.formerId).toBeNull()
    const there = { machine: 'two', stateFolder: folder }
    expect(identify(database, there, realRandom).formerId).toBe(original.id)
    // The process was killed before it disowned what the former id had said.
    expect(identify(database, there, realRandom).formerId).toBe(original.id)
    database.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
