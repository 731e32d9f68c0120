import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { announce, findRunning, withdraw } from '../../../src/cli/running-instance.ts'

const url = 'http://127.0.0.1:4711'

function stateFolder(): string {
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'davit-announced-'))
  onTestFinished(() => fs.rmSync(state, { recursive: true }))
  fs.writeFileSync(path.join(state, 'token'), 'secret\n')
  return state
}

it('an announcement is found, and gone once it is withdrawn', () => {
  const state = stateFolder()
  announce(state, url)
  expect(findRunning(state)).toEqual({ url, token: 'secret' })
  withdraw(state, url)
  expect(findRunning(state)).toBeNull()
  expect(fs.readdirSync(state)).toEqual(['token'])
})

it('what a process left that was killed while it announced itself is written over', () => {
  const state = stateFolder()
  announce(state, url)
  const [written] = fs.readdirSync(state).filter((name) => name !== 'token')
  fs.writeFileSync(path.join(state, `${written}.new`), '{"pid":')
  announce(state, url)
  expect(fs.readdirSync(state).sort()).toEqual(['instance.json', 'token'])
  expect(findRunning(state)).toEqual({ url, token: 'secret' })
})
