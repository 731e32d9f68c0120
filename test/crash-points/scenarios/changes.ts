/** What people do to files: each once where the change is sent, once where it arrives. */
import { utimes } from 'node:fs/promises'
import type { Scenario } from '../scenario.ts'
import type { Scene } from '../scene.ts'

async function begin(scene: Scene): Promise<void> {
  await scene.write('a', 'one.txt', 'one\n')
  await scene.write('a', 'two.txt', 'two\n')
  await scene.write('a', 'folder/three.txt', 'three\n')
  await scene.write('a', 'folder/deep/four.txt', 'four\n')
  await scene.start('b')
}

async function edit(scene: Scene): Promise<void> {
  await scene.write('a', 'one.txt', 'one, edited\n')
  await scene.write('a', 'folder/three.txt', `three, longer\n${'line\n'.repeat(50_000)}`)
  await scene.write('a', 'new/five.txt', 'five\n', 'executable')
  await utimes(scene.path('a', 'new/five.txt'), 1_000_000_000, 1_000_000_000)
}

async function renameThings(scene: Scene): Promise<void> {
  await scene.rename('a', 'one.txt', 'renamed.txt')
  await scene.rename('a', 'folder', 'moved/folder')
}

async function swapThings(scene: Scene): Promise<void> {
  await scene.swap('a', 'one.txt', 'two.txt')
  await scene.swap('a', 'folder/three.txt', 'folder/deep/four.txt')
}

async function remove(scene: Scene): Promise<void> {
  await scene.remove('a', 'one.txt')
  await scene.remove('a', 'folder/deep')
}

/** In two commits, each of which is what it looks like: paths are left, and others come to them. */
async function takePaths(scene: Scene): Promise<void> {
  await scene.rename('a', 'one.txt', 'renamed.txt')
  await scene.remove('a', 'two.txt')
  await scene.remove('a', 'folder/three.txt')
  await scene.sync('a')
  await scene.write('a', 'one.txt', 'another one\n')
  await scene.write('a', 'two.txt', 'another two\n')
  await scene.write('a', 'renamed.txt', 'one, renamed and edited\n')
  await scene.rename('a', 'folder/deep/four.txt', 'folder/three.txt')
}

async function label(scene: Scene): Promise<void> {
  await scene.run('a', 'label', 'one.txt', '--add', 'important')
}

function sent(name: string, about: string, change: (scene: Scene) => Promise<void>): Scenario {
  return {
    name: `${name}-sent`,
    about: `${about}, and it is sent`,
    instance: 'a',
    command: () => ['sync'],
    async prepare(scene) {
      await begin(scene)
      await change(scene)
    },
  }
}

/** `meanwhile`: what is not sent yet where the change arrives. */
function pulled(
  name: string,
  about: string,
  change: (scene: Scene) => Promise<void>,
  meanwhile: (scene: Scene) => Promise<void> = async () => {},
): Scenario {
  return {
    name: `${name}-pulled`,
    about: `${about}, and it arrives at another instance`,
    instance: 'b',
    command: () => ['sync'],
    async prepare(scene) {
      await begin(scene)
      await change(scene)
      await scene.sync('a')
      await meanwhile(scene)
    },
  }
}

const edited = 'files are edited and made'
const renamed = 'a file and a folder are renamed'
const swapped = 'files swap their names'
const removed = 'a file and a folder are deleted'

export const changes: readonly Scenario[] = [
  // The one whose start stands for that of all others.
  { ...sent('edit', edited, edit), isAboutStart: true },
  pulled('edit', edited, edit),
  sent('rename', renamed, renameThings),
  pulled('rename', renamed, renameThings),
  sent('swap', swapped, swapThings),
  { ...pulled('swap', swapped, swapThings), passes: /parked/ },
  sent('delete', removed, remove),
  pulled('delete', removed, remove),
  pulled('take-paths', 'files come to paths that others have left', takePaths),
  pulled('label', 'a label is given', label),
  pulled('rename-of-edited', 'a file is renamed that was edited elsewhere', renameThings, (scene) =>
    scene.write('b', 'one.txt', 'one, edited by b\n'),
  ),
  pulled('delete-of-edited', 'a file is deleted that was edited elsewhere', remove, (scene) =>
    scene.write('b', 'one.txt', 'one, edited by b\n'),
  ),
]
