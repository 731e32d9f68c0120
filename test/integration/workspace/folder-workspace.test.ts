import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFolderWorkspace } from '../../../src/workspace/folder-workspace.ts'
import { interposeCalls, systemFailure } from '../../support/interposed-calls.ts'
import {
  filesBelow,
  openTemporaryWorkspace,
  realClock,
  realRandom,
  scanAll,
  stageText,
  stampAt,
  type TemporaryWorkspace,
} from '../../support/temporary-workspace.ts'

const attributes = { executable: false, mtimeUs: 1_600_000_000_000_000 }
const placing = { expected: null, attributes, old: 'trash', durable: false } as const
const day = 24 * 3_600_000

let temporary: TemporaryWorkspace
beforeEach(async () => {
  temporary = await openTemporaryWorkspace()
})
afterEach(() => temporary.dispose())

/** Runs with a small file system mounted; without the right to mount, failing calls (slipped-in.test.ts) stand for it. */
async function onSmallDisk(bytes: string, act: (folder: string) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'davit-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', folder], { stdio: 'ignore' })
  } catch {
    fs.rmdirSync(folder)
    return
  }
  try {
    await act(folder)
  } finally {
    execFileSync('umount', [folder])
    fs.rmdirSync(folder)
  }
}

describe('the root', () => {
  it('is present at first, and after each marker that was remembered', async () => {
    const { workspace, memory } = temporary
    expect(await workspace.rootState()).toEqual({ kind: 'present' })
    await workspace.renewMarker('one')
    const { dev, ino } = fs.statSync(temporary.root)
    expect(memory.value).toEqual({ token: 'one', device: dev, inode: ino })
    expect(await workspace.rootState()).toEqual({ kind: 'present' })
  })

  it('is replaced when the marker is missing or damaged', async () => {
    await temporary.workspace.renewMarker('one')
    fs.writeFileSync(temporary.at('.davit/marker'), '{"tok')
    expect((await temporary.workspace.rootState()).kind).toBe('replaced')
    fs.rmSync(temporary.at('.davit/marker'))
    expect((await temporary.workspace.rootState()).kind).toBe('replaced')
  })

  it('gets no new marker where the one that is remembered does not stand any more', async () => {
    await temporary.workspace.renewMarker('one')
    const remembered = temporary.memory.value
    for (const text of [null, JSON.stringify({ token: 'another', previous: null })]) {
      fs.rmSync(temporary.at('.davit/marker'), { force: true })
      if (text !== null) fs.writeFileSync(temporary.at('.davit/marker'), text)
      await temporary.workspace.renewMarker('two', { onlyRemembered: true })
      expect(temporary.memory.value).toEqual(remembered)
      expect((await temporary.workspace.rootState()).kind).not.toBe('present')
    }
  })

  it('gets no new marker when its disk goes at any moment of that', async () => {
    const interposed = interposeCalls()
    const { workspace, root, memory, at } = await openTemporaryWorkspace({ fileCalls: interposed.calls })
    await workspace.renewMarker('first')
    let isThrough = false
    for (let call = 0; !isThrough; call++) {
      const remembered = memory.value
      let isAway = false
      interposed.arm(call, () => {
        fs.renameSync(root, `${root}-away`)
        fs.mkdirSync(root)
        isAway = true
      })
      const renewing = workspace.renewMarker(`token ${call}`, { onlyRemembered: true })
      const failed = await renewing.then(
        () => null,
        (error: unknown) => error,
      )
      isThrough = !isAway
      if (isThrough) break
      if (failed !== null) expect(failed).toMatchObject({ code: 'workspace-vanished' })
      // Nothing makes the folder that stands there now the one that was replicated.
      expect(fs.existsSync(at('.davit/marker')), `before call ${call}`).toBe(false)
      expect((await workspace.rootState()).kind).toBe('replaced')
      fs.rmSync(root, { recursive: true })
      fs.renameSync(`${root}-away`, root)
      expect((await workspace.rootState()).kind, `before call ${call}`).toBe('present')
      if (failed !== null) expect(memory.value).toEqual(remembered)
    }
  })

  it('is restored when the marker is an older one', async () => {
    await temporary.workspace.renewMarker('one')
    const old = fs.readFileSync(temporary.at('.davit/marker'))
    await temporary.workspace.renewMarker('two')
    await temporary.workspace.renewMarker('three')
    fs.writeFileSync(temporary.at('.davit/marker'), old)
    expect(await temporary.workspace.rootState()).toEqual({ kind: 'restored' })
  })

  it('is present when a crash came between the marker and the memory', async () => {
    await temporary.workspace.renewMarker('one')
    const remembered = temporary.memory.value
    await temporary.workspace.renewMarker('two')
    temporary.memory.value = remembered
    expect(await temporary.workspace.rootState()).toEqual({ kind: 'present' })
  })

  it('is present when it was copied with its marker, and replaced when another folder stands there', async () => {
    await temporary.workspace.renewMarker('one')
    fs.cpSync(temporary.root, `${temporary.root}-copy`, { recursive: true })
    fs.renameSync(temporary.root, `${temporary.root}-old`)
    expect(await temporary.workspace.rootState()).toEqual({ kind: 'vanished' })
    fs.renameSync(`${temporary.root}-copy`, temporary.root)
    expect(await temporary.workspace.rootState()).toEqual({ kind: 'present' })
    fs.rmSync(temporary.root, { recursive: true })
    fs.mkdirSync(temporary.root)
    expect((await temporary.workspace.rootState()).kind).toBe('replaced')
    fs.rmdirSync(temporary.root)
    fs.symlinkSync(`${temporary.root}-old`, temporary.root)
    expect((await temporary.workspace.rootState()).kind).toBe('replaced')
  })

  it('must be a folder to be opened', async () => {
    const file = path.join(path.dirname(temporary.root), 'file')
    fs.writeFileSync(file, '')
    const options = { identity: { read: () => null, write: () => undefined }, ignore: [], clock: realClock }
    const watch = { mode: 'off', debounceMs: 1 } as const
    const opening = openFolderWorkspace({
      ...options,
      root: file,
      stateFolder: `${file}-state`,
      watch,
      random: realRandom,
    })
    await expect(opening).rejects.toMatchObject({ code: 'workspace-missing' })
  })
})

describe('attributes', () => {
  it('the x bits follow the r bits, and other bits of a replaced file stay', async () => {
    const { workspace } = temporary
    const executable = { executable: true, mtimeUs: 0 }
    await workspace.place(await stageText(workspace, '1'), 'a', { ...placing, attributes: executable })
    const mask = process.umask()
    expect(fs.statSync(temporary.at('a')).mode & 0o777).toBe(0o777 & ~mask)
    await workspace.place(await stageText(workspace, '1'), 'b', placing)
    expect(fs.statSync(temporary.at('b')).mode & 0o777).toBe(0o666 & ~mask)
    fs.chmodSync(temporary.at('b'), 0o640)
    const expected = await stampAt(workspace, 'b')
    await workspace.place(await stageText(workspace, '2'), 'b', {
      ...placing,
      expected,
      attributes: executable,
    })
    expect(fs.statSync(temporary.at('b')).mode & 0o777).toBe(0o750)
  })

  it.each([
    [-1, 0],
    [0, 0],
    [2 ** 31 * 1e6, 2 ** 31 * 1e6],
    [(2 ** 32 + 1) * 1e6, (2 ** 32 + 1) * 1e6],
    [1_700_000_000_123_457, 1_700_000_000_123_457],
    [Number.NaN, 0],
  ])('an impossible mtime of %d is no reason to refuse a content', async (given, expected) => {
    const { workspace } = temporary
    const odd = { executable: false, mtimeUs: given }
    const result = await workspace.place(await stageText(workspace, '1'), 'a', {
      ...placing,
      attributes: odd,
    })
    expect(result).toMatchObject({ kind: 'done', mtimeUs: expected })
    const far = { ...placing, attributes: { executable: false, mtimeUs: 1e300 } }
    expect((await workspace.place(await stageText(workspace, '1'), 'b', far)).kind).toBe('done')
  })
})

describe('the trash', () => {
  it('keeps a file under its own path, and for a while', async () => {
    const { workspace } = temporary
    const long = 'd'.repeat(250)
    const deep = Array.from({ length: 12 }, () => long).join('/')
    for (const file of ['a/b c/d', `${deep}/f`]) {
      temporary.write(file, file)
      expect(
        (await workspace.remove(file, { expected: await stampAt(workspace, file), old: 'trash' })).kind,
      ).toBe('done')
    }
    const kept = filesBelow(path.join(temporary.state, 'trash'))
    expect(kept.some((file) => file.endsWith('/a/b c/d'))).toBe(true)
    expect(temporary.kept().sort()).toEqual(['a/b c/d', `${deep}/f`].sort())
    await workspace.cleanUp({ trashAgeMs: day, nowMs: Date.now() })
    expect(temporary.kept()).toHaveLength(2)
    await workspace.cleanUp({ trashAgeMs: day, nowMs: Date.now() + 2 * day })
    expect(temporary.kept()).toEqual([])
    expect(fs.readdirSync(path.join(temporary.state, 'trash'))).toEqual([])
  })

  it('takes in what a crash left aside, while other leftovers go', async () => {
    const { workspace } = temporary
    const tmp = path.join(temporary.state, 'tmp')
    fs.writeFileSync(path.join(tmp, 'aside-0000-1'), 'last copy')
    temporary.write('a', 'still there')
    fs.linkSync(temporary.at('a'), path.join(tmp, 'aside-0000-2'))
    fs.writeFileSync(path.join(tmp, 'staged-0000-3'), 'torso')
    const staged = await stageText(workspace, 'mine')
    await workspace.cleanUp({ trashAgeMs: day, nowMs: Date.now() })
    expect(temporary.kept().sort()).toEqual(['last copy', 'mine'])
    expect(temporary.read('a')).toBe('still there')
    expect((await workspace.place(staged, 'b', placing)).kind).toBe('done')
  })
})

it('a content that is discarded takes nothing more, even while it is written', async () => {
  const staged = await temporary.workspace.stage(8 * 1024 * 1024)
  const writing = staged.sink.write(Buffer.alloc(8 * 1024 * 1024, 1))
  await staged.discard()
  await Promise.allSettled([writing])
  await expect(staged.sink.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'internal' })
  expect(filesBelow(path.join(temporary.state, 'tmp'))).toEqual([])
  await staged.discard()
})

describe('parking', () => {
  const id = '00000000-0000-7000-8000-000000000001'

  it('leaves the file its path or its parked name at every moment', async () => {
    const interposed = interposeCalls()
    const other = await openTemporaryWorkspace({ fileCalls: interposed.calls })
    try {
      const parked = other.at(`.davit/parked/${id}`)
      let wasReached = true
      for (let at = 0; wasReached; at++) {
        other.write('d/a', 'one')
        const seen = await stampAt(other.workspace, 'd/a')
        wasReached = false
        interposed.arm(at, ({ name }) => {
          wasReached = true
          expect([fs.existsSync(other.at('d/a')), fs.existsSync(parked)], `before ${name}`).toContain(true)
        })
        expect(await other.workspace.park(id, 'd/a', seen)).toEqual({ kind: 'done' })
        expect([fs.existsSync(other.at('d/a')), fs.readFileSync(parked, 'utf8')]).toEqual([false, 'one'])
        fs.rmSync(parked)
      }
    } finally {
      await other.dispose()
    }
  })

  it('ends with one name where a crash left the file under both', async () => {
    const { workspace } = temporary
    temporary.write('a', 'one')
    expect(await workspace.park(id, 'a', await stampAt(workspace, 'a'))).toEqual({ kind: 'done' })
    fs.linkSync(temporary.at(`.davit/parked/${id}`), temporary.at('b'))
    expect((await workspace.unpark(id, 'b')).kind).toBe('done')
    expect([await workspace.parked(), temporary.read('b')]).toEqual([[], 'one'])
  })
})

describe('a full disk', () => {
  it('is told before a download that does not fit, counting what was announced', async () => {
    const calls = interposeCalls().calls
    const room = 1_000
    const statfsSync = ((folder: string) => ({
      ...fs.statfsSync(folder),
      bavail: room,
      bsize: 1,
    })) as typeof fs.statfsSync
    const small = await openTemporaryWorkspace({
      fileCalls: { ...calls, statfsSync },
      trashReserveBytes: 100,
    })
    try {
      await expect(small.workspace.stage(901)).rejects.toMatchObject({ code: 'disk-full', action: 'ask' })
      const first = await small.workspace.stage(600)
      await expect(small.workspace.stage(600)).rejects.toMatchObject({ code: 'disk-full' })
      await first.discard()
      await (await small.workspace.stage(600)).discard()
    } finally {
      await small.dispose()
    }
  })

  it('leaves no torso, and the old content where it was', async () => {
    await onSmallDisk('1m', async (folder) => {
      const small = await openTemporaryWorkspace({ under: folder })
      try {
        small.write('a', 'old')
        const staged = await small.workspace.stage(1_000)
        const write = async () => {
          for (let chunk = 0; chunk < 64; chunk++) await staged.sink.write(Buffer.alloc(64 * 1024, 1))
        }
        await expect(write()).rejects.toMatchObject({ code: 'disk-full' })
        expect(fs.readdirSync(path.join(small.state, 'tmp'))).toEqual([])
        await expect(small.workspace.stage(2_000_000)).rejects.toMatchObject({ code: 'disk-full' })
        expect(small.read('a')).toBe('old')
      } finally {
        await small.dispose()
      }
    })
  })

  it('of a failing call is told as such', async () => {
    const interposed = interposeCalls()
    const other = await openTemporaryWorkspace({ fileCalls: interposed.calls })
    try {
      const staged = await stageText(other.workspace, '1')
      interposed.arm(0, () => {
        throw systemFailure('EDQUOT')
      })
      await expect(other.workspace.stage(1)).rejects.toMatchObject({ code: 'disk-full' })
      expect((await other.workspace.place(staged, 'a', placing)).kind).toBe('done')
    } finally {
      await other.dispose()
    }
  })
})

describe('a file system inside the workspace', () => {
  it('is entered, written to, moved to and from, and emptied like any folder', async () => {
    const { workspace } = temporary
    const inner = temporary.at('inner')
    fs.mkdirSync(inner)
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'none', inner], { stdio: 'ignore' })
    } catch {
      return
    }
    try {
      expect((await workspace.place(await stageText(workspace, 'one'), 'inner/a', placing)).kind).toBe('done')
      const expected = await stampAt(workspace, 'inner/a')
      expect(await workspace.place(await stageText(workspace, 'x'), 'inner/a', placing)).toEqual({
        kind: 'changed',
      })
      expect(
        (await workspace.place(await stageText(workspace, 'two'), 'inner/a', { ...placing, expected })).kind,
      ).toBe('done')
      expect(temporary.kept().sort()).toEqual(['one', 'x'])
      expect((await workspace.move('inner/a', 'b', await stampAt(workspace, 'inner/a'))).kind).toBe('done')
      expect((await workspace.move('b', 'inner/c', await stampAt(workspace, 'b'))).kind).toBe('done')
      const id = '00000000-0000-7000-8000-000000000001'
      expect(await workspace.park(id, 'inner/c', await stampAt(workspace, 'inner/c'))).toEqual({
        kind: 'done',
      })
      expect((await workspace.unpark(id, 'inner/d')).kind).toBe('done')
      expect(temporary.read('inner/d')).toBe('two')
      const { entries, problems } = await scanAll(workspace)
      expect([entries.map((entry) => entry.path), problems]).toEqual([['inner/d'], []])
      const seen = await stampAt(workspace, 'inner/d')
      expect((await workspace.remove('inner/d', { expected: seen, old: 'trash' })).kind).toBe('done')
      expect(fs.readdirSync(inner)).toEqual([])
      expect(temporary.kept().sort()).toEqual(['one', 'two', 'x'])
      await workspace.removeFolder('inner')
    } finally {
      execFileSync('umount', [inner])
    }
  })
})

it('a temporary file beside its target is left out and reported', async () => {
  temporary.write('d/.davit-tmp-aside-1', 'precious')
  const { entries, problems } = await scanAll(temporary.workspace)
  expect(entries).toMatchObject([{ kind: 'folder', path: 'd', holdsIgnored: true }])
  expect(problems).toEqual([{ path: 'd/.davit-tmp-aside-1', code: 'leftover' }])
})

it('links and folders at the target are not replaced', async () => {
  const { workspace } = temporary
  fs.symlinkSync('/etc/hostname', temporary.at('link'))
  fs.mkdirSync(temporary.at('folder'))
  const seen = { size: 0, mtimeMs: 0, ctimeMs: 0, inode: 0, birthtimeMs: 0 }
  for (const target of ['link', 'folder'])
    for (const expected of [null, seen]) {
      const staged = await stageText(workspace, 'x')
      expect(await workspace.place(staged, target, { ...placing, expected })).toEqual({ kind: 'changed' })
      await staged.discard()
    }
  fs.symlinkSync('folder', temporary.at('way'))
  const staged = await stageText(workspace, 'x')
  await expect(workspace.place(staged, 'way/a', placing)).rejects.toMatchObject({ code: 'path-unsafe' })
  expect(fs.readdirSync(temporary.at('folder'))).toEqual([])
})

it('what is closed refuses to work on', async () => {
  await temporary.workspace.close()
  temporary.write('a', '1')
  await expect(temporary.workspace.hash('a')).rejects.toMatchObject({ code: 'stopped' })
  await expect(scanAll(temporary.workspace)).rejects.toMatchObject({ code: 'stopped' })
})
