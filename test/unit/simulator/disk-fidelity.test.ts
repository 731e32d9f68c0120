/** The same calls on the simulated disk and on the system's: the same answers, the same errors, the same files. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FileCalls, systemFileCalls } from '../../../src/workspace/file-calls.ts'
import { createSimulatedDisk } from '../../simulator/disk.ts'
import { createSeededRandom } from '../../support/virtual-clock.ts'

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_DIRECTORY } = fs.constants
const names = ['a', 'b', 'c', 'link', `${'n'.repeat(256)}`]
const flags = [
  O_RDONLY,
  O_RDWR,
  O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
  O_RDONLY | O_NOFOLLOW,
  O_WRONLY | O_CREAT,
  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
  O_RDWR | O_CREAT | O_TRUNC,
]

/** One side of the comparison: calls, the folder in which they work, and the descriptors that it has open. */
interface Side {
  readonly calls: FileCalls
  readonly base: string
  readonly open: (number | undefined)[]
}

let base: string

beforeEach(() => {
  base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'davit-fidelity-')))
})
afterEach(() => {
  fs.rmSync(base, { recursive: true, force: true })
})

/** Of two paths that are both wrong, which one is complained of is nobody's business. */
const ofTwoPaths = ['rename', 'link', 'copy']

/** What a call answers, without what differs by nature: numbers of files, times, places. */
async function answer(side: Side, name: string, act: (side: Side) => unknown): Promise<unknown> {
  try {
    const value = await act(side)
    return typeof value === 'string' ? value.replaceAll(side.base, '<base>') : value
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return ofTwoPaths.includes(name) ? 'fails' : code
  }
}

describe.runIf(systemFileCalls.descriptorFolder !== null)('the simulated disk and the real one', () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))('agree, seed %i', async (seed) => {
    const random = createSeededRandom(seed)
    const disk = createSimulatedDisk({ now: () => 1_700_000_000_000 })
    disk.user.makeFolder('/base')
    const sides: readonly Side[] = [
      { calls: systemFileCalls, base, open: [] },
      { calls: disk.process().calls, base: '/base', open: [] },
    ]
    fs.symlinkSync('a', path.join(base, 'link'))
    disk.user.symlink('a', '/base/link')

    const pick = <T>(from: readonly T[]): T => from[Math.floor(random.fraction() * from.length)] as T
    /** A path by name, or below a folder that is open. */
    function draw(): (side: Side) => string {
      const depth = 1 + Math.floor(random.fraction() * 3)
      const below = Array.from({ length: depth }, () => pick(names)).join('/')
      const slot = Math.floor(random.fraction() * 12)
      return ({ base, open }) =>
        open[slot] === undefined ? `${base}/${below}` : `/proc/self/fd/${open[slot]}/${pick1(below)}`
    }
    const pick1 = (below: string) => below.slice(below.lastIndexOf('/') + 1)

    function drawAct(): [string, (side: Side) => unknown] {
      const [from, to] = [draw(), draw()]
      const slot = Math.floor(random.fraction() * 4)
      const how = pick(flags)
      const plain = `${pick(names)}/${pick(names)}`
      const position = pick([0, 3, 5_000])
      const text = Buffer.from(pick(['x', 'hello', 'y'.repeat(5_000)]))
      const fd = (side: Side) => side.open[slot] ?? 999
      const look = (stats: ReturnType<FileCalls['lstatSync']>) =>
        `${stats.isFile()} ${stats.isDirectory()} ${stats.isSymbolicLink()} ${stats.mode} ${
          stats.isDirectory() ? '' : `${stats.size} ${stats.nlink}`
        }`
      const acts: readonly [string, (side: Side) => unknown][] = [
        ['mkdir', (side) => side.calls.mkdirSync(from(side))],
        ['mkdir', (side) => side.calls.mkdirSync(from(side), { mode: 0o700 })],
        // By name only: below a folder that is gone Node never ends.
        ['mkdirs', (side) => void side.calls.mkdirSync(`${side.base}/${plain}/c`, { recursive: true })],
        ['rmdir', (side) => side.calls.rmdirSync(from(side))],
        ['unlink', (side) => side.calls.unlinkSync(from(side))],
        ['rename', (side) => side.calls.renameSync(from(side), to(side))],
        ['rename', (side) => side.calls.renameSync(from(side), to(side))],
        ['link', (side) => side.calls.linkSync(from(side), to(side))],
        ['lstat', (side) => look(side.calls.lstatSync(from(side)))],
        ['readdir', (side) => side.calls.readdirSync(from(side)).sort().join()],
        [
          'entries',
          (side) =>
            side.calls
              .readEntriesSync(from(side))
              .map(({ name }) => name)
              .sort()
              .join(),
        ],
        ['readlink', (side) => side.calls.readlinkSync(from(side))],
        // Of one name only: with a link to itself below another link Node never ends.
        ['realpath', (side) => side.calls.realpathSync(`${side.base}/${plain.slice(0, 1)}`)],
        [
          'where',
          (side) => {
            if (!side.calls.fstatSync(fd(side)).isDirectory()) return 'a file'
            return side.calls.readlinkSync(`/proc/self/fd/${fd(side)}`).replace(/.* \(deleted\)$/, 'deleted')
          },
        ],
        ['copy', (side) => side.calls.copyFile(from(side), to(side))],
        ['remove', (side) => side.calls.remove(from(side))],
        ...[1, 2, 3].map((): [string, (side: Side) => unknown] => [
          `open ${slot} ${how.toString(8)}`,
          (side) => {
            const opened = side.calls.openSync(from(side), how)
            if (side.open[slot] !== undefined) side.calls.closeSync(side.open[slot])
            side.open[slot] = opened
          },
        ]),
        [
          'close',
          (side) => {
            const number = fd(side)
            side.open[slot] = undefined
            side.calls.closeSync(number)
          },
        ],
        ['fstat', (side) => look(side.calls.fstatSync(fd(side)))],
        ['write', (side) => side.calls.writeSync(fd(side), text, 0, text.length, position)],
        ['truncate', (side) => side.calls.ftruncateSync(fd(side), position)],
        ['fsync', (side) => side.calls.fsync(fd(side))],
        ['chmod', (side) => side.calls.fchmodSync(fd(side), 0o750)],
        [
          'read',
          (side) => {
            const buffer = Buffer.alloc(8_000)
            const bytes = side.calls.readSync(fd(side), buffer, 0, 8_000, position === 3 ? null : position)
            return buffer.subarray(0, bytes).toString()
          },
        ],
      ]
      return pick(acts)
    }

    for (let turn = 0; turn < 150; turn++) {
      const [name, act] = drawAct()
      const [real, simulated] = [
        await answer(sides[0] as Side, name, act),
        await answer(sides[1] as Side, name, act),
      ]
      expect(simulated, `turn ${turn}: ${name}`).toEqual(real)
    }
    const found = fs
      .readdirSync(base, { recursive: true, withFileTypes: true })
      .map((entry) => path.join(entry.parentPath, entry.name))
    const tree = found.map((file) => {
      const isFile = fs.lstatSync(file).isFile()
      return `${file.slice(base.length)} ${isFile ? fs.readFileSync(file, 'utf8') : ''}`
    })
    const listed = disk.user
      .list('/base')
      .map(({ path }) => `${path.slice(5)} ${disk.user.readText(path) ?? ''}`)
    expect(listed.sort()).toEqual(tree.sort())
    for (const number of (sides[0] as Side).open) if (number !== undefined) fs.closeSync(number)
  })
})
