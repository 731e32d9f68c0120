/** What becomes of a workspace as a whole: its root, its disk, its ignore rules. Each in a workspace of its own. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect } from 'vitest'
import type { WatchedInstance } from '../support/watched-instance.ts'

export interface RootGesture {
  readonly name: string
  act(instance: WatchedInstance): Promise<void>
}

const files = (instance: WatchedInstance) => instance.files
const away = (instance: WatchedInstance) => `${instance.files.root}-away`

/** Paths that the index holds. */
function indexed({ database }: WatchedInstance): string[] {
  return database.trees.localPage({ limit: 1_000 }).map(({ id, state }) => {
    return `${state.path} ${state.hash} ${database.trees.presenceOf(id)}`
  })
}

/** Nothing counts as deleted while the root is not the folder that it was; it says what is wrong. */
async function expectHeld(instance: WatchedInstance, work: () => void, code: RegExp): Promise<void> {
  const before = indexed(instance)
  const told = instance.told.length
  work()
  await instance.until('that the root is gone is told', () =>
    instance.told.slice(told).some(({ kind }) => kind === 'root'),
  )
  await instance.until(`${code} is said`, () => code.test(instance.engine.lastError()?.code ?? ''))
  expect(indexed(instance)).toEqual(before)
}

/** It is watched natively again, or still, and not only found by one look at everything. */
async function expectWatched(instance: WatchedInstance): Promise<void> {
  const { root } = instance.files
  for (const entry of fs.readdirSync(root, { withFileTypes: true, recursive: true })) {
    const folder = path.join(entry.parentPath, entry.name)
    if (entry.isDirectory() && !folder.startsWith(path.join(root, '.davit')))
      fs.writeFileSync(path.join(folder, 'later'), 'later')
  }
  fs.writeFileSync(path.join(root, 'later'), 'later')
  await instance.follows()
  expect(instance.watching().fallback).toBeNull()
}

export const rootGestures: readonly RootGesture[] = [
  {
    name: 'the root renamed away and back at once',
    async act(instance) {
      fs.renameSync(files(instance).root, away(instance))
      fs.renameSync(away(instance), files(instance).root)
      await expectWatched(instance)
    },
  },
  {
    name: 'the root renamed away, changed there and renamed back at once',
    async act(instance) {
      fs.renameSync(files(instance).root, away(instance))
      fs.renameSync(path.join(away(instance), 'd/sub'), path.join(away(instance), 'd/renamed'))
      fs.mkdirSync(path.join(away(instance), 'd/fresh/inner'), { recursive: true })
      fs.appendFileSync(path.join(away(instance), 'd/a'), 'more')
      // While another program runs, the watching thread takes the events of a root that is not there.
      spawnSync('true')
      fs.renameSync(away(instance), files(instance).root)
      await instance.follows()
      await expectWatched(instance)
    },
  },
  {
    name: 'the root renamed away, noticed, changed there and renamed back',
    async act(instance) {
      await expectHeld(
        instance,
        () => fs.renameSync(files(instance).root, away(instance)),
        /^workspace-vanished$/,
      )
      fs.rmSync(path.join(away(instance), 'd/sub'), { recursive: true })
      fs.appendFileSync(path.join(away(instance), 'd/a'), 'more')
      fs.renameSync(away(instance), files(instance).root)
      await instance.follows()
      await expectWatched(instance)
    },
  },
  {
    name: 'the root removed and made again',
    async act(instance) {
      await expectHeld(
        instance,
        () => {
          fs.rmSync(files(instance).root, { recursive: true })
          fs.mkdirSync(files(instance).root)
        },
        /^workspace-(vanished|replaced)$/,
      )
      files(instance).write('d/new', 'made after it')
      expect((await instance.adopt()).outcome).toBe('in-sync')
      await instance.follows()
      await expectWatched(instance)
      // What the store had is back beside what was made anew.
      expect(files(instance).read('d/a')).toBe('a')
      expect(files(instance).read('d/new')).toBe('made after it')
    },
  },
  {
    name: 'the root replaced by another folder, and put back',
    async act(instance) {
      await expectHeld(
        instance,
        () => {
          fs.renameSync(files(instance).root, away(instance))
          files(instance).write('something/else', '1')
        },
        /^workspace-replaced$/,
      )
      // Nothing is written into a folder that is somebody else's.
      expect(fs.readdirSync(files(instance).root)).toEqual(['something'])
      fs.rmSync(files(instance).root, { recursive: true })
      fs.renameSync(away(instance), files(instance).root)
      fs.appendFileSync(files(instance).at('d/a'), 'more')
      await instance.follows()
      await expectWatched(instance)
    },
  },
  {
    name: 'the root emptied, as by a disk that is not mounted, and filled again',
    async act(instance) {
      const { root } = files(instance)
      fs.mkdirSync(away(instance))
      await expectHeld(
        instance,
        () => {
          // The folder itself stays: only what is in it goes, at once, as with a mount.
          fs.renameSync(root, path.join(away(instance), 'disk'))
          fs.mkdirSync(root)
        },
        /^workspace-(vanished|replaced)$/,
      )
      fs.rmdirSync(root)
      fs.renameSync(path.join(away(instance), 'disk'), root)
      fs.rmSync(files(instance).at('d/sub'), { recursive: true })
      await instance.follows()
      await expectWatched(instance)
    },
  },
  {
    name: 'everything in the root moved out of it piece by piece, and back',
    async act(instance) {
      const { root } = files(instance)
      const before = indexed(instance)
      fs.mkdirSync(away(instance))
      const names = fs.readdirSync(root).sort()
      // The state folder comes first, as with rm -r.
      for (const name of names) fs.renameSync(path.join(root, name), path.join(away(instance), name))
      await instance.until('it is said', () => instance.engine.lastError()?.code === 'workspace-replaced')
      expect(indexed(instance)).toEqual(before)
      for (const name of names) fs.renameSync(path.join(away(instance), name), path.join(root, name))
      await instance.follows()
      await expectWatched(instance)
    },
  },
  {
    name: 'another disk mounted over the root, and unmounted',
    async act(instance) {
      const { root } = files(instance)
      const isMounted = spawnSync('mount', ['-t', 'tmpfs', 'none', root]).status === 0
      if (!isMounted) {
        // Nobody may mount here: the nearest to it.
        fs.renameSync(root, away(instance))
        fs.mkdirSync(root)
      }
      try {
        await expectHeld(instance, () => undefined, /^workspace-replaced$/)
        expect(fs.readdirSync(root)).toEqual([])
      } finally {
        if (isMounted) spawnSync('umount', ['-l', root])
        else {
          fs.rmdirSync(root)
          fs.renameSync(away(instance), root)
        }
      }
      fs.appendFileSync(files(instance).at('d/a'), 'more')
      await instance.follows()
      await expectWatched(instance)
    },
  },
  {
    name: 'a folder ignored by an edit of .davitignore, and looked at again after another one',
    async act(instance) {
      files(instance).write('build/out/x', '1')
      await instance.follows()
      files(instance).write('.davitignore', 'build/\n')
      await instance.until('it is ignored', () => files(instance).workspace.isIgnored('build', 'folder'))
      await instance.follows()
      expect(instance.database.trees.localPage({ under: 'build', limit: 10 })).toEqual([])
      files(instance).write('build/out/y', '2')
      files(instance).write('build/fresh/z', '3')
      files(instance).write('.davitignore', '*.tmp\n')
      await instance.until('it is looked at', () => !files(instance).workspace.isIgnored('build', 'folder'))
      await instance.follows()
      expect(instance.database.trees.localAt('build/fresh/z')).not.toBeNull()
      await expectWatched(instance)
    },
  },
  {
    name: 'the ignore rules edited while the workspace is being looked at',
    async act(instance) {
      files(instance).write('.davitignore', 'build/\n')
      files(instance).write('build/out/x', '1')
      await instance.follows()
      // A look reads the rules by itself: the watcher must follow them all the same.
      fs.rmSync(files(instance).at('.davitignore'))
      const look = files(instance).workspace.scan({ under: '' })[Symbol.asyncIterator]()
      for (let batch = await look.next(); batch.done !== true; batch = await look.next());
      await instance.follows()
      await expectWatched(instance)
    },
  },
  {
    name: '.davitignore replaced again and again, by renaming',
    async act(instance) {
      for (let round = 0; round < 6; round++) {
        files(instance).write('build/out/x', String(round))
        files(instance).write('.ignore.new', round % 2 === 0 ? 'build/\n' : '')
        fs.renameSync(files(instance).at('.ignore.new'), files(instance).at('.davitignore'))
        if (round % 2 === 0) await instance.follows()
      }
      await instance.follows()
      await expectWatched(instance)
    },
  },
  {
    name: 'an ignored folder renamed to a name that is not, and another one to one that is',
    async act(instance) {
      files(instance).write('.davitignore', 'build/\n')
      files(instance).write('build/out/x', '1')
      files(instance).write('open/in/y', '2')
      await instance.follows()
      fs.renameSync(files(instance).at('build'), files(instance).at('kept'))
      fs.renameSync(files(instance).at('open'), files(instance).at('build'))
      await instance.follows()
      await expectWatched(instance)
    },
  },
]
