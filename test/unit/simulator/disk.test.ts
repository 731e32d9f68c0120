/** The simulated disk by itself: what it keeps, what it refuses, and what a power cut may take. */
import { constants } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { FileCalls } from '../../../src/workspace/file-calls.ts'
import { createSimulatedDisk, type SimulatedDisk, type SimulatedDiskOptions } from '../../simulator/disk.ts'
import { createSeededRandom } from '../../support/virtual-clock.ts'

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = constants

function open(options: Partial<SimulatedDiskOptions> = {}): { disk: SimulatedDisk; calls: FileCalls } {
  const disk = createSimulatedDisk({ now: () => 1_700_000_000_000, ...options })
  return { disk, calls: disk.process().calls }
}

function write(calls: FileCalls, path: string, text: string): void {
  const fd = calls.openSync(path, O_CREAT | O_WRONLY)
  calls.writeSync(fd, Buffer.from(text), 0, text.length, 0)
  calls.closeSync(fd)
}

async function sync(calls: FileCalls, path: string): Promise<void> {
  const fd = calls.openSync(path, O_RDONLY)
  await calls.fsync(fd)
  calls.closeSync(fd)
}

/** What the disk may hold after a power cut, over many seeds, each told as text. */
function outcomes(disk: SimulatedDisk, paths: readonly string[], seeds = 400): string[] {
  const before = disk.snapshot()
  const found = new Set<string>()
  for (let seed = 0; seed < seeds; seed++) {
    disk.restore(before)
    disk.powerCut(createSeededRandom(seed))
    found.add(paths.map((path) => `${path}=${disk.user.readText(path) ?? '-'}`).join(' '))
  }
  disk.restore(before)
  return [...found].sort()
}

const code = (code: string) => expect.objectContaining({ code })

describe('a simulated disk', () => {
  it('reads an open file that has lost its name', () => {
    const { disk, calls } = open()
    write(calls, '/a', 'hello')
    const fd = calls.openSync('/a', O_RDONLY)
    calls.unlinkSync('/a')
    const buffer = Buffer.alloc(8)
    expect(calls.readSync(fd, buffer, 0, 8, 0)).toBe(5)
    expect(calls.fstatSync(fd).nlink).toBe(0)
    const used = disk.freeBytes
    calls.closeSync(fd)
    expect(disk.freeBytes - used).toBe(4_096)
  })

  it('reaches the very folder that was opened, wherever it is moved', () => {
    const { disk, calls } = open()
    disk.user.makeFolder('/a/b')
    const fd = calls.openSync('/a/b', O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    disk.user.rename('/a/b', '/c')
    write(calls, `/proc/self/fd/${fd}/x`, '1')
    expect(disk.user.readText('/c/x')).toBe('1')
    expect(calls.readlinkSync(`/proc/self/fd/${fd}`)).toBe('/c')
    disk.user.remove('/c')
    expect(calls.readlinkSync(`/proc/self/fd/${fd}`)).toBe('/c (deleted)')
    expect(() => write(calls, `/proc/self/fd/${fd}/x`, '1')).toThrow(code('ENOENT'))
  })

  it('writes what fits, then says that it is full, and has the room again', () => {
    const { disk, calls } = open({ capacityBytes: 3 * 4_096 })
    const fd = calls.openSync('/a', O_CREAT | O_RDWR | O_EXCL)
    expect(calls.writeSync(fd, new Uint8Array(20_000), 0, 20_000, 0)).toBe(3 * 4_096)
    expect(() => calls.writeSync(fd, new Uint8Array(1), 0, 1, 3 * 4_096)).toThrow(code('ENOSPC'))
    expect(() => calls.mkdirSync('/d')).toThrow(code('ENOSPC'))
    expect(calls.statfsSync('/').bavail).toBe(0)
    calls.ftruncateSync(fd, 4_096)
    expect(calls.statfsSync('/').bavail).toBe(2)
    disk.resize(2 * 4_096)
    expect(calls.statfsSync('/').bavail).toBe(1)
  })

  it('folds case and form, and keeps the spelling', () => {
    const { disk, calls } = open({ caseInsensitive: true, normalisesNames: true })
    write(calls, '/\u00c9', '1')
    expect(calls.readdirSync('/')).toEqual(['E\u0301'])
    expect(disk.user.readText('/e\u0301')).toBe('1')
    expect(() => calls.openSync('/\u00e9', O_CREAT | O_EXCL)).toThrow(code('EEXIST'))
    calls.renameSync('/\u00c9', '/\u00e9')
    expect(calls.readdirSync('/')).toEqual(['e\u0301'])
  })

  it('refuses the names that Windows does not have', () => {
    const { calls } = open({ windowsNames: true })
    for (const name of ['a:b', 'con', 'NUL.txt', 'a.', 'a ', 'a?', 'a\u0001'])
      expect(() => calls.mkdirSync(`/${name}`), name).toThrow(code('EINVAL'))
    calls.mkdirSync('/console')
  })

  it.each([
    [0, 3],
    [1, 1],
    [1_000, 1],
    [2_000, 1],
  ])('tells times in steps of %i ms', (granularityMs, distinct) => {
    const { disk, calls } = open({ granularityMs, now: () => 1_700_000_001_234.5 })
    const times = [1, 2, 3].map((turn) => {
      write(calls, '/a', String(turn))
      return disk.user.look('/a')?.mtimeMs ?? 0
    })
    expect(new Set(times).size).toBe(distinct)
    if (granularityMs > 0) expect((times[0] ?? 1) % granularityMs).toBe(0)
  })

  it('stops a process that the mode bits stop, but no person', () => {
    const { disk, calls } = open()
    disk.user.write('/d/a', 'x')
    disk.user.chmod('/d', 0o300)
    expect(() => calls.readdirSync('/d')).toThrow(code('EACCES'))
    disk.user.chmod('/d', 0o000)
    expect(() => calls.lstatSync('/d/a')).toThrow(code('EACCES'))
    expect(disk.user.readText('/d/a')).toBe('x')
  })

  it('has no effect for a dead process, nor for what it had begun', async () => {
    const { disk } = open()
    const process = disk.process()
    disk.user.write('/a', 'old')
    const fd = process.calls.openSync('/a', O_RDWR)
    const writing = process.calls.write(fd, Buffer.from('new'), 0, 3, 0)
    process.kill()
    await expect(writing).rejects.toMatchObject({ code: 'EKILLED' })
    expect(() => process.calls.unlinkSync('/a')).toThrow(code('EKILLED'))
    await expect(process.calls.remove('/a')).rejects.toMatchObject({ code: 'EKILLED' })
    expect(disk.user.readText('/a')).toBe('old')
  })

  it('lets a hook act, fail or kill before each call', () => {
    const { disk } = open()
    const seen: string[] = []
    const process = disk.process({
      before({ name, args }) {
        seen.push(`${name} ${String(args[0])}`)
        if (name === 'mkdirSync') throw Object.assign(new Error('slipped in'), { code: 'EIO' })
        if (name === 'unlinkSync') disk.user.write('/a', 'edited')
        if (name === 'renameSync') process.kill()
      },
    })
    disk.user.write('/a', 'old')
    expect(() => process.calls.mkdirSync('/d')).toThrow(code('EIO'))
    process.calls.unlinkSync('/a')
    expect(disk.user.exists('/a')).toBe(false)
    disk.user.write('/a', 'old')
    expect(() => process.calls.renameSync('/a', '/b')).toThrow(code('EKILLED'))
    expect(disk.user.readText('/a')).toBe('old')
    expect(seen).toEqual(['mkdirSync /d', 'unlinkSync /a', 'renameSync /a'])
  })

  it('takes asynchronous calls in the order of the schedule', async () => {
    const waiting: (() => void)[] = []
    const { disk, calls } = open({ schedule: (work) => waiting.push(work) })
    disk.user.write('/d/a', '1')
    const fd = calls.openSync('/d/a', O_RDWR)
    const first = calls.write(fd, Buffer.from('2'), 0, 1, 0)
    const second = calls.remove('/d/a')
    expect(disk.user.readText('/d/a')).toBe('1')
    waiting[1]?.()
    await second
    expect(disk.user.exists('/d/a')).toBe(false)
    waiting[0]?.()
    expect(await first).toBe(1)
    expect(waiting).toHaveLength(2)
  })

  it('can be put back to a snapshot, however often', () => {
    const { disk, calls } = open()
    disk.user.write('/d/a', 'one')
    write(calls, '/d/b', 'two')
    const snapshot = disk.snapshot()
    const listed = disk.user.list()
    for (let turn = 0; turn < 2; turn++) {
      disk.user.write('/d/a', 'changed', { inPlace: true })
      disk.user.rename('/d', '/e')
      disk.restore(snapshot)
      expect(disk.user.list()).toEqual(listed)
      expect(disk.user.readText('/d/a')).toBe('one')
    }
    expect(() => calls.lstatSync('/d')).toThrow(code('EKILLED'))
  })
})

describe('a power cut', () => {
  it('leaves what was synced, in a folder that was', async () => {
    const { disk, calls } = open()
    calls.mkdirSync('/d')
    write(calls, '/d/a', 'hello')
    for (const path of ['/d/a', '/d', '/']) await sync(calls, path)
    expect(outcomes(disk, ['/d/a'])).toEqual(['/d/a=hello'])
  })

  it('may take a folder that was synced, when the one above was not', async () => {
    const { disk, calls } = open()
    calls.mkdirSync('/d')
    write(calls, '/d/a', 'hello')
    for (const path of ['/d/a', '/d']) await sync(calls, path)
    expect(outcomes(disk, ['/d/a'])).toEqual(['/d/a=-', '/d/a=hello'])
  })

  it('may leave a name without its content, which was renamed too early', async () => {
    const { disk, calls } = open()
    disk.user.write('/a', 'old')
    write(calls, '/new', 'fresh')
    calls.renameSync('/new', '/a')
    await sync(calls, '/')
    const found = outcomes(disk, ['/a'])
    expect(found).toContain('/a=')
    expect(found).toContain('/a=fresh')
    expect(found).toContain('/a=fr')
    expect(found).toContain('/a=\0\0\0\0\0')
    expect(found).not.toContain('/a=old')
  })

  it('leaves the old or the new content of a synced file that was renamed over', async () => {
    const { disk, calls } = open()
    disk.user.write('/a', 'old')
    write(calls, '/new', 'fresh')
    await sync(calls, '/new')
    calls.renameSync('/new', '/a')
    // The making of the new name may be lost, and the rename with it.
    expect(outcomes(disk, ['/a', '/new'])).toEqual(['/a=fresh /new=-', '/a=old /new=-', '/a=old /new=fresh'])
  })

  it('reorders a link and a removal, unless names are kept in order', () => {
    for (const writeBack of ['reordered', 'ordered'] as const) {
      const { disk, calls } = open({ writeBack })
      disk.user.write('/d/a', 'mine')
      disk.user.makeFolder('/e')
      calls.linkSync('/d/a', '/e/a')
      calls.unlinkSync('/d/a')
      expect(outcomes(disk, ['/d/a', '/e/a'])).toEqual([
        ...(writeBack === 'reordered' ? ['/d/a=- /e/a=-'] : []),
        '/d/a=- /e/a=mine',
        '/d/a=mine /e/a=-',
        '/d/a=mine /e/a=mine',
      ])
    }
  })

  it('has a rename as a whole, also into a folder that is lost', () => {
    const { disk, calls } = open()
    disk.user.write('/d/a', 'mine')
    calls.mkdirSync('/new')
    calls.renameSync('/d/a', '/new/a')
    calls.rmdirSync('/d')
    expect(outcomes(disk, ['/d/a', '/new/a'])).toEqual(['/d/a=- /new/a=mine', '/d/a=mine /new/a=-'])
  })

  it('never cuts folders off by moving them into each other', () => {
    const { disk, calls } = open()
    disk.user.write('/x/a/file', 'mine')
    calls.renameSync('/x/a', '/a')
    calls.renameSync('/x', '/a/x')
    const before = disk.snapshot()
    for (let seed = 0; seed < 200; seed++) {
      disk.restore(before)
      disk.powerCut(createSeededRandom(seed))
      const files = disk.user.list().filter(({ kind }) => kind === 'file')
      expect(files.map(({ path }) => disk.user.readText(path))).toEqual(['mine'])
    }
  })

  it('mixes old and new pages of what was written in place, and invents nothing', () => {
    const { disk, calls } = open()
    disk.user.write('/a', 'o'.repeat(3 * 4_096))
    const fd = calls.openSync('/a', O_RDWR)
    calls.writeSync(fd, Buffer.alloc(4 * 4_096, 'n'), 0, 4 * 4_096, 0)
    const found = outcomes(disk, ['/a']).map((text) => text.slice(3))
    expect(found).toContain('o'.repeat(3 * 4_096))
    expect(found).toContain('n'.repeat(4 * 4_096))
    expect(found.length).toBeGreaterThan(20)
    for (const text of found) expect(text).toMatch(/^[on\0]*$/)
    expect(found.some((text) => text.startsWith('o') && text.includes('n'))).toBe(true)
  })

  it('leaves what people did, and what is old', () => {
    let nowMs = 0
    const { disk, calls } = open({ now: () => nowMs })
    calls.mkdirSync('/d')
    write(calls, '/d/a', 'hello')
    disk.user.write('/d/b', 'mine')
    const young = outcomes(disk, ['/d/a', '/d/b'])
    expect(young.length).toBeGreaterThan(1)
    expect(young.every((text) => text.endsWith('/d/b=mine'))).toBe(true)
    disk.user.write('/d/c', 'careless', { durable: false })
    expect(outcomes(disk, ['/d/c']).length).toBeGreaterThan(1)
    nowMs += 31_000
    expect(outcomes(disk, ['/d/a', '/d/b', '/d/c'])).toEqual(['/d/a=hello /d/b=mine /d/c=careless'])
  })

  it('kills every process', () => {
    const { disk, calls } = open()
    disk.powerCut(createSeededRandom(1))
    expect(() => calls.lstatSync('/')).toThrow(code('EKILLED'))
    expect(disk.process().calls.lstatSync('/').isDirectory()).toBe(true)
  })
})
