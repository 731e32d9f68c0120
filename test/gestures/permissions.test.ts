/**
 * Permissions that are taken away and given back. The administrator may read everything, so a test that runs as one
 * becomes nobody in particular as soon as everything is open.
 */
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openWatchedInstance, type WatchedInstance, type WatchedMode } from '../support/watched-instance.ts'
import { whileStopped } from '../support/while-stopped.ts'

const isAdministrator = process.getuid?.() === 0
const nobody = 65_534

function handOver(target: string): void {
  fs.lchownSync(target, nobody, nobody)
  if (!fs.lstatSync(target).isDirectory()) return
  for (const name of fs.readdirSync(target)) handOver(`${target}/${name}`)
}

async function open(
  mode: WatchedMode,
  prepare: (write: (target: string, content: string) => void, root: string) => void,
) {
  const instance = await openWatchedInstance({ mode, prepare: ({ write, root }) => prepare(write, root) })
  if (isAdministrator) {
    handOver(path.dirname(instance.files.root))
    process.seteuid?.(nobody)
  }
  return instance
}

let instance: WatchedInstance
afterEach(async () => {
  if (isAdministrator) process.seteuid?.(0)
  await instance.close()
})

describe.each<WatchedMode>(['native', 'polling'])('the index follows permissions by %s watching', (mode) => {
  const at = (target: string) => instance.files.at(target)
  const paths = () => instance.database.trees.localPage({ limit: 100 }).map(({ state }) => state.path)
  const laterIn = async (...folders: string[]) => {
    for (const folder of folders) fs.writeFileSync(at(`${folder}/later`), 'later')
    await instance.follows()
    expect(instance.watching()).toMatchObject({ mode, fallback: null })
  }

  it('a file that may not be read, edited, and given back', async () => {
    instance = await open(mode, (write) => write('d/a', 'before'))
    fs.chmodSync(at('d/a'), 0o200)
    fs.writeFileSync(at('d/a'), 'behind the curtain')
    fs.writeFileSync(at('d/b'), 'seen')
    await instance.until('the other one is indexed', () => paths().includes('d/b'))
    expect(paths()).toEqual(['d/a', 'd/b'])
    fs.chmodSync(at('d/a'), 0o600)
    await instance.follows()
    await laterIn('d')
  })

  it('a folder that may not be entered is no deletion of what is in it, and is looked at when it may', async () => {
    instance = await open(mode, (write) => {
      write('d/sub/deep/a', '1')
      write('e/b', '2')
    })
    fs.chmodSync(at('d/sub'), 0o000)
    fs.writeFileSync(at('e/c'), 'seen')
    await instance.until('the other one is indexed', () => paths().includes('e/c'))
    expect(paths()).toEqual(['d/sub/deep/a', 'e/b', 'e/c'])
    fs.chmodSync(at('d/sub'), 0o700)
    await instance.follows()
    await laterIn('d', 'd/sub', 'd/sub/deep', 'e')
  })

  it('a file written by a program that has it open, in a folder that may not be entered', async () => {
    instance = await open(mode, (write) => {
      write('d/sub/log', 'begin\n')
      write('e/b', '2')
    })
    const fd = fs.openSync(at('d/sub/log'), 'a')
    fs.chmodSync(at('d'), 0o000)
    fs.writeSync(fd, 'unseen\n')
    fs.writeFileSync(at('e/c'), 'seen')
    await instance.until('the other one is indexed', () => paths().includes('e/c'))
    fs.writeSync(fd, 'unseen, too\n')
    fs.chmodSync(at('d'), 0o700)
    fs.closeSync(fd)
    await instance.follows()
    await laterIn('d', 'd/sub', 'e')
  })

  it('a file written, and its folder closed before anybody has seen it', async () => {
    instance = await open(mode, (write) => {
      write('d/sub/log', 'begin\n')
      write('e/b', '2')
    })
    await whileStopped(instance.files.root, 'echo more >>d/sub/log; chmod 000 d')
    fs.writeFileSync(at('e/c'), 'seen')
    await instance.until('the other one is indexed', () => paths().includes('e/c'))
    fs.chmodSync(at('d'), 0o700)
    await instance.follows()
    await laterIn('d', 'd/sub', 'e')
  })

  it('a folder filled while it may not be listed', async () => {
    instance = await open(mode, (write) => write('d/a', '1'))
    fs.chmodSync(at('d'), 0o300)
    fs.mkdirSync(at('d/fresh/inner'), { recursive: true })
    fs.writeFileSync(at('d/fresh/inner/x'), '2')
    fs.mkdirSync(at('d/closed'))
    fs.chmodSync(at('d/closed'), 0o000)
    fs.mkdirSync(at('e'))
    fs.writeFileSync(at('e/c'), 'seen')
    await instance.until('the other one is indexed', () => paths().includes('e/c'))
    fs.chmodSync(at('d'), 0o700)
    await instance.follows()
    fs.chmodSync(at('d/closed'), 0o700)
    await laterIn('d', 'd/fresh', 'd/fresh/inner', 'd/closed', 'e')
  })

  it('a folder made where nobody may look, found when one may', async () => {
    instance = await open(mode, (write) => write('d/a', '1'))
    fs.mkdirSync(at('d/closed/inner'), { recursive: true })
    fs.chmodSync(at('d/closed'), 0o000)
    await instance.follows()
    fs.chmodSync(at('d'), 0o000)
    fs.chmodSync(at('d'), 0o700)
    fs.chmodSync(at('d/closed'), 0o700)
    await instance.follows()
    await laterIn('d', 'd/closed', 'd/closed/inner')
  })
})
