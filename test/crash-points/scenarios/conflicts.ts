/** Conflicts: found, merged, settled here, settled elsewhere. */
import type { Scenario } from '../scenario.ts'
import type { Scene } from '../scene.ts'

async function edited(scene: Scene, path: string, texts: readonly [string, string, string]): Promise<void> {
  const [base, byA, byB] = texts
  await scene.write('a', path, base)
  await scene.start('b')
  await scene.write('a', path, byA)
  await scene.sync('a')
  await scene.write('b', path, byB)
}

const editedOnBothSides = (scene: Scene) =>
  edited(scene, 'text.txt', ['base\n', 'as a has it\n', 'as b has it\n'])

const middle = 'line\n'.repeat(20)
const editedInOtherLines = (scene: Scene) =>
  edited(scene, 'lines.txt', [
    `top\n${middle}bottom\n`,
    `top by a\n${middle}bottom\n`,
    `top\n${middle}bottom by b\n`,
  ])

async function openConflict(scene: Scene): Promise<void> {
  await editedOnBothSides(scene)
  await scene.sync('b')
  await scene.sync('a')
  const [conflict] = await scene.conflicts('b')
  if (conflict === undefined) throw new Error('no conflict was opened')
  scene.notes.set('conflict', conflict.id)
}

const resolve = (scene: Scene, take: string) => [
  'conflicts',
  'resolve',
  scene.notes.get('conflict') ?? '',
  '--take',
  take,
]

function resolving(take: string): Scenario {
  return {
    name: `resolve-${take}`,
    about: `a conflict is settled with \`${take}\``,
    instance: 'b',
    command: (scene) => resolve(scene, take),
    restart: () => ['sync'],
    prepare: openConflict,
    async finish(scene) {
      // Nobody was told that it is settled: it is asked for again, unless it had been done.
      if ((await scene.conflicts('b')).length > 0) await scene.run('b', ...resolve(scene, take))
    },
  }
}

export const conflicts: readonly Scenario[] = [
  {
    name: 'conflict-found',
    about:
      'one file was edited on both sides, and another in different lines: a conflict opens, a merge is made',
    instance: 'b',
    command: () => ['sync'],
    prepare: editedOnBothSides,
  },
  {
    name: 'merge',
    about: 'a text was edited in different lines on both sides: by policy the two are merged',
    instance: 'b',
    command: () => ['sync', '--conflicts', 'merge'],
    prepare: editedInOtherLines,
  },
  resolving('local'),
  resolving('remote'),
  resolving('both'),
  {
    name: 'resolution-pulled',
    about: 'a conflict that was settled elsewhere against the content here',
    instance: 'a',
    command: () => ['sync'],
    async prepare(scene) {
      await openConflict(scene)
      const { code, stderr } = await scene.run('b', ...resolve(scene, 'local'))
      if (code !== 0) throw new Error(stderr)
      await scene.write('a', 'new.txt', 'new\n')
    },
  },
  {
    name: 'policy-both',
    about: 'by policy both contents of an edit on two sides are kept',
    instance: 'b',
    command: () => ['sync', '--conflicts', 'both'],
    prepare: editedOnBothSides,
  },
]
