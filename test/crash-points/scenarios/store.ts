/** The store: its checkpoint and its lock, forks, rollbacks. */
import { rename, writeFile } from 'node:fs/promises'
import type { Scenario } from '../scenario.ts'
import type { Scene } from '../scene.ts'
import { makeCheckpointDue } from './setting-up.ts'

async function begin(scene: Scene): Promise<void> {
  await scene.write('a', 'one.txt', 'one\n')
  await scene.write('a', 'two.txt', 'two\n')
  await scene.start('b')
}

/** `a` and `b` have committed each on top of one version, and the store shows both. */
async function fork(scene: Scene): Promise<void> {
  await begin(scene)
  await scene.keepStore('common')
  await scene.write('a', 'by-a.txt', 'by a\n')
  await scene.write('a', 'one.txt', 'one, by a\n')
  await scene.sync('a')
  const [byA] = await scene.heads()
  await scene.keepStore('a')
  await scene.bringBackStore('common')
  await scene.write('b', 'by-b.txt', 'by b\n')
  await scene.remove('b', 'two.txt')
  await scene.sync('b')
  const { cp } = await import('node:fs/promises')
  await cp(scene.path('kept-a'), scene.path('store'), { recursive: true, force: false })
  if (!(await scene.heads()).includes(byA ?? '')) throw new Error('there is no fork')
}

/** The store is as it was before `a` committed, and `b` read, some of what they have. */
async function rollBack(scene: Scene): Promise<void> {
  await begin(scene)
  await scene.keepStore('before')
  await scene.write('a', 'later.txt', 'later\n')
  await scene.write('a', 'one.txt', 'one, later\n')
  await scene.sync('a')
  await scene.sync('b')
  await scene.bringBackStore('before')
  await scene.write('a', 'unsent.txt', 'not sent yet\n')
}

export const store: readonly Scenario[] = [
  {
    name: 'checkpoint',
    passes: /PUT .*\.db$/,
    about: 'a commit makes a checkpoint due: the lock is taken, the checkpoint written and announced',
    instance: 'a',
    command: () => ['sync'],
    async prepare(scene) {
      await begin(scene)
      await makeCheckpointDue(scene, 'a')
    },
  },
  {
    name: 'fork-healed-by-loser',
    passes: /DELETE /,
    about:
      'two heads stand in version/: the one who finds them heals, and its own commit is the one that loses',
    instance: 'a',
    command: () => ['sync'],
    prepare: fork,
  },
  {
    name: 'fork-healed-by-other',
    passes: /DELETE /,
    about: 'two heads stand in version/: the other committer finds them',
    instance: 'b',
    command: () => ['sync'],
    prepare: fork,
  },
  {
    name: 'republish',
    about: 'the store was rolled back, and a person chooses to republish what it lost',
    instance: 'a',
    command: () => ['recover', 'republish'],
    prepare: rollBack,
  },
  {
    name: 'adopt',
    about: 'the store was rolled back, and a person chooses to adopt it as it is',
    instance: 'a',
    command: () => ['recover', 'adopt'],
    prepare: rollBack,
    async finish(scene) {
      await scene.run('b', 'recover', 'adopt')
    },
  },
  {
    name: 'republish-emptied',
    about: 'the store was emptied, and a person chooses to republish all of it',
    instance: 'a',
    command: () => ['recover', 'republish'],
    async prepare(scene) {
      await begin(scene)
      await rename(scene.path('store'), scene.path('kept-emptied'))
      await scene.makeFolder('store', '')
      await scene.write('a', 'unsent.txt', 'not sent yet\n')
    },
  },
  {
    name: 'broken-lock',
    passes: /MOVE .*held-0{8}.* → held-/,
    about: 'the lock of an instance that died is broken, and the checkpoint that it owed is written',
    instance: 'a',
    // A lease of a minute ends within half a second.
    clock: 200,
    command: () => ['serve', '--mode', 'manual', '--port', '0'],
    restart: () => ['sync'],
    async drive(running, scene) {
      const [, url = ''] = await running.line(/^davit ready (http:\S+)/)
      const { readFile } = await import('node:fs/promises')
      const { setTimeout: wait } = await import('node:timers/promises')
      const token = (await readFile(scene.path('a', '.davit', 'token'), 'utf8')).trim()
      const sync = () =>
        fetch(`${url}/sync`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: '{"wait":true}',
        }).then((answer) => answer.text())
      // Seen once, and unchanged a lease later.
      await sync()
      for (let waited = 0; waited < 8; waited++) await wait(90)
      await sync()
    },
    async prepare(scene) {
      await begin(scene)
      await makeCheckpointDue(scene, 'a')
      const dead = 'held-00000000-0000-7000-8000-000000000000-000000000000000000000000'
      await scene.makeFolder('store', 'lock')
      await writeFile(scene.path('store', 'lock', dead), 'davit\n')
    },
  },
]
