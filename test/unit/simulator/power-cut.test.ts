/**
 * The power fails before any call of a step of the workspace, or after it; the disk keeps what its model lets it. At
 * the next start nothing that a person wrote is gone or torn, and what was told to be done durably is done.
 */
import { constants } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { DiskStamp } from '../../../src/model/file-state.ts'
import type { RememberedRoot } from '../../../src/workspace/folder-workspace.ts'
import type { OldContent, RemoveResult, StepResult, Workspace } from '../../../src/workspace/workspace.ts'
import {
  createSimulatedDisk,
  type DiskCall,
  type SimulatedDisk,
  type SimulatedDiskOptions,
} from '../../simulator/disk.ts'
import { createStandingClock, openDiskWorkspace, rootFolder } from '../../simulator/disk-workspace.ts'
import { createSeededRandom } from '../../support/virtual-clock.ts'

const id = '00000000-0000-7000-8000-000000000001'
const attributes = { executable: true, mtimeUs: 1_600_000_000_000_000 }
const longAgoMs = 1_500_000_000_000
/** More than a page, so that it can be torn in the middle. */
const ours = 'ours '.repeat(1_000)
const mine = 'mine '.repeat(1_000)

type Step = (workspace: Workspace) => Promise<StepResult | RemoveResult>

async function stampOf(workspace: Workspace, path: string): Promise<DiskStamp> {
  const entry = await workspace.look(path)
  if (entry === null || entry.kind === 'unknown') throw new Error(`nothing at ${path}`)
  return entry.stamp
}

function placing(
  path: string,
  old: OldContent | null,
  how: { readonly staged?: boolean; readonly durable?: boolean } = {},
): Step {
  return async (workspace) => {
    const staged = await workspace.stage(ours.length)
    await staged.sink.write(new TextEncoder().encode(ours))
    await staged.finish({ durable: how.staged ?? false })
    const expected = old === null ? null : await stampOf(workspace, path)
    const durable = how.durable ?? true
    return workspace.place(staged, path, { expected, attributes, old: old ?? 'trash', durable })
  }
}

interface Case {
  readonly step: Step
  /** What the paths hold before; `null`: nothing. */
  readonly before: Readonly<Record<string, string | null>>
  readonly after: Readonly<Record<string, string | null>>
  /** The content that was there may go. */
  readonly drops?: true
  /** Made before the step, and left to the power cut as well. */
  readonly prepare?: Step
  /** What else stands when it is done. */
  readonly verify?: (disk: SimulatedDisk) => void
}

function hasAttributes(path: string): (disk: SimulatedDisk) => void {
  return (disk) =>
    expect(disk.user.look(`${rootFolder}/${path}`)).toMatchObject({
      mode: 0o755,
      mtimeMs: attributes.mtimeUs / 1_000,
    })
}

/** As one of many: without an fsync for it. */
const placedLazily: Step = async (workspace) => {
  const result = await placing('d/new/deep/one-of-many', null, { durable: false })(workspace)
  await workspace.makeDurable()
  return result
}

const cases: Readonly<Record<string, Case>> = {
  'place a new file': {
    step: placing('d/new/deep/a', null),
    before: { 'd/new/deep/a': null },
    after: { 'd/new/deep/a': ours },
    verify: hasAttributes('d/new/deep/a'),
  },
  'place a new file that was synced while it was staged': {
    step: placing('d/b', null, { staged: true }),
    before: { 'd/b': null },
    after: { 'd/b': ours },
    verify: hasAttributes('d/b'),
  },
  'place a file in a folder that a large pull has made': {
    prepare: placedLazily,
    step: placing('d/new/deep/a', null),
    before: { 'd/new/deep/a': null },
    after: { 'd/new/deep/a': ours },
  },
  'move a file into a folder that a large pull has made': {
    prepare: placedLazily,
    step: async (workspace) => workspace.move('d/a', 'd/new/deep/a', await stampOf(workspace, 'd/a')),
    before: { 'd/a': mine, 'd/new/deep/a': null },
    after: { 'd/a': null, 'd/new/deep/a': mine },
  },
  'replace a file': {
    step: placing('d/a', 'trash'),
    before: { 'd/a': mine },
    after: { 'd/a': ours },
    verify: hasAttributes('d/a'),
  },
  'replace a file for good': {
    step: placing('d/a', 'drop'),
    before: { 'd/a': mine },
    after: { 'd/a': ours },
    drops: true,
  },
  'move a file': {
    step: async (workspace) => workspace.move('d/a', 'e/b', await stampOf(workspace, 'd/a')),
    before: { 'd/a': mine, 'e/b': null },
    after: { 'd/a': null, 'e/b': mine },
  },
  'move a file within its folder': {
    step: async (workspace) => workspace.move('d/a', 'd/b', await stampOf(workspace, 'd/a')),
    before: { 'd/a': mine, 'd/b': null },
    after: { 'd/a': null, 'd/b': mine },
  },
  'park a file': {
    step: async (workspace) => workspace.park(id, 'd/a', await stampOf(workspace, 'd/a')),
    before: { 'd/a': mine },
    after: { 'd/a': null },
  },
  'bring back a parked file': {
    prepare: async (workspace) => workspace.park(id, 'd/a', await stampOf(workspace, 'd/a')),
    step: (workspace) => workspace.unpark(id, 'f/b'),
    before: { 'f/b': null },
    after: { 'f/b': mine },
  },
  'bring back a parked file to where it was': {
    prepare: async (workspace) => workspace.park(id, 'd/a', await stampOf(workspace, 'd/a')),
    step: (workspace) => workspace.unpark(id, 'd/b'),
    before: { 'd/b': null },
    after: { 'd/b': mine },
  },
  'set attributes': {
    step: async (workspace) => workspace.setAttributes('d/a', await stampOf(workspace, 'd/a'), attributes),
    before: { 'd/a': mine },
    after: { 'd/a': mine },
    verify: hasAttributes('d/a'),
  },
  'make a folder': {
    step: (workspace) => workspace.makeFolder('d/new/deep'),
    before: { 'd/a': mine },
    after: { 'd/a': mine },
    verify: (disk) => expect(disk.user.look(`${rootFolder}/d/new/deep`)?.kind).toBe('folder'),
  },
  'move a folder': {
    step: async (workspace) => workspace.move('e', 'f/e', await stampOf(workspace, 'e')),
    before: { 'd/a': mine },
    after: { 'd/a': mine },
    verify: (disk) => {
      expect(disk.user.exists(`${rootFolder}/e`)).toBe(false)
      expect(disk.user.look(`${rootFolder}/f/e`)?.kind).toBe('folder')
    },
  },
  'remove a folder': {
    step: async (workspace) => {
      await workspace.removeFolder('e')
      return { kind: 'done' }
    },
    before: { 'd/a': mine },
    after: { 'd/a': mine },
    verify: (disk) => expect(disk.user.exists(`${rootFolder}/e`)).toBe(false),
  },
  'remove a file': {
    step: async (workspace) =>
      workspace.remove('d/a', { expected: await stampOf(workspace, 'd/a'), old: 'trash' }),
    before: { 'd/a': mine },
    after: { 'd/a': null },
  },
}

/** Calls that a power cut before them cannot tell from one before the next. */
const harmless: ReadonlySet<string> = new Set([
  'lstatSync',
  'fstatSync',
  'closeSync',
  'readSync',
  'readdirSync',
  'readEntriesSync',
  'readlinkSync',
  'realpathSync',
  'statfsSync',
  'readdir',
  'read',
])

function isHarmless({ name, args }: DiskCall): boolean {
  return harmless.has(name) || (name === 'openSync' && (Number(args[1]) & constants.O_CREAT) === 0)
}

interface Kind {
  readonly name: string
  readonly options: Partial<SimulatedDiskOptions>
  readonly stateFolder?: string
  /** A file that is replaced has no name for an instant. */
  readonly hasGaps?: true
}

const kinds: readonly Kind[] = [
  { name: 'names in any order', options: {} },
  { name: 'names in order', options: { writeBack: 'ordered' } },
  { name: 'no hard links', options: { hardLinks: false }, hasGaps: true },
  {
    name: 'the state on another disk',
    options: { devices: ['/state'] },
    stateFolder: '/state/davit',
  },
  {
    name: 'the file on another disk than its workspace',
    options: { devices: [`${rootFolder}/d`] },
  },
]

const seeds = 5

describe.each(kinds)('a power cut with $name', ({ options, stateFolder, hasGaps }) => {
  const clock = createStandingClock()

  function begin(): SimulatedDisk {
    const disk = createSimulatedDisk({ now: clock.now, ...options })
    disk.user.write(`${rootFolder}/d/a`, mine, { mtimeMs: longAgoMs })
    disk.user.makeFolder(`${rootFolder}/e`)
    return disk
  }
  function start(
    disk: SimulatedDisk,
    random: number,
    before?: (call: DiskCall) => void,
    memory: { value: RememberedRoot | null } = { value: null },
  ): Promise<Workspace> {
    return openDiskWorkspace({
      calls: disk.process(before === undefined ? {} : { before }).calls,
      clock,
      random: createSeededRandom(random),
      memory,
      ...(stateFolder === undefined ? {} : { stateFolder }),
    })
  }

  /** Cuts the power before call `at` of the step, or after the step; answers what the step did until then. */
  async function cutAt(
    { step, prepare }: Case,
    at: number,
    seed: number,
  ): Promise<{ disk: SimulatedDisk; result: StepResult | RemoveResult | null; calls: number }> {
    const disk = begin()
    const chance = createSeededRandom(seed)
    let calls = 0
    let isArmed = false
    const workspace = await start(disk, 1, (call) => {
      if (isArmed && !isHarmless(call) && calls++ === at) disk.powerCut(chance)
    })
    await prepare?.(workspace)
    isArmed = true
    let result: StepResult | RemoveResult | null = null
    try {
      result = await step(workspace)
      await workspace.makeDurable()
    } catch (error) {
      if (calls <= at) throw error
    }
    if (calls <= at) disk.powerCut(chance)
    return { disk, result: calls <= at ? result : null, calls }
  }

  it.each(Object.entries(cases))('%s', async (_name, tested) => {
    for (let at = 0, isOver = false; !isOver; at++)
      for (let seed = 0; seed < seeds; seed++) {
        const { disk, result, calls } = await cutAt(tested, at, at * seeds + seed)
        const workspace = await start(disk, 2)
        await workspace.cleanUp({ trashAgeMs: 1e9, nowMs: clock.now() })
        const where = `before call ${at} of ${calls}, seed ${seed}, ${JSON.stringify(result)}`
        const files = disk.user.list().filter(({ kind }) => kind === 'file')
        const contents = files.map(({ path }) => disk.user.readText(path) ?? '')
        for (const path of new Set([...Object.keys(tested.before), ...Object.keys(tested.after)])) {
          const found = disk.user.readText(`${rootFolder}/${path}`)
          if (result === null && hasGaps === true && found === null && path in tested.before) continue
          if (result === null)
            expect([tested.before[path] ?? null, tested.after[path] ?? null], `${path} ${where}`).toContain(
              found,
            )
          else expect(found, `${path} ${where}`).toBe(tested.after[path])
        }
        if (tested.drops !== true) expect(contents.includes(mine), `nothing of mine ${where}`).toBe(true)
        else expect(contents.includes(mine) || contents.includes(ours), where).toBe(true)
        if (calls <= at) {
          expect(result?.kind).toBe('done')
          tested.verify?.(disk)
          isOver = true
        }
      }
  })

  it('renew the marker: the root is known again', async () => {
    for (let at = 0, isOver = false; !isOver; at++)
      for (let seed = 0; seed < seeds; seed++) {
        const disk = begin()
        const memory: { value: RememberedRoot | null } = { value: null }
        await (await start(disk, 1, undefined, memory)).renewMarker('one')
        let calls = 0
        const cut = (call: DiskCall) => {
          if (!isHarmless(call) && calls++ === at) disk.powerCut(createSeededRandom(seed))
        }
        try {
          await (await start(disk, 2, cut, memory)).renewMarker('two')
        } catch (error) {
          if (calls <= at) throw error
        }
        isOver = calls <= at
        if (isOver) disk.powerCut(createSeededRandom(seed))
        const last = await start(disk, 3, undefined, memory)
        expect(await last.rootState(), `before call ${at}, seed ${seed}`).toEqual({ kind: 'present' })
      }
  })
})
