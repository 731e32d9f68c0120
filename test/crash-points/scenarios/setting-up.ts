/** Beginnings: a store, an instance, its index, its identity. */
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import BetterSqlite from 'better-sqlite3'
import type { Scenario } from '../scenario.ts'
import type { Scene } from '../scene.ts'

async function twoFiles(scene: Scene, instance: string): Promise<void> {
  await scene.write(instance, 'letters/one.txt', 'one\n')
  await scene.write(instance, 'run.sh', '#!/bin/sh\n', 'executable')
  await scene.makeFolder(instance, 'empty')
}

/** `init` says of a workspace that has a configuration that it is set up. */
function initOrSync(scene: Scene, instance: string): readonly string[] {
  return [existsSync(scene.path(instance, '.davit', 'davit.yml')) ? 'sync' : 'init']
}

export const firstSync: Scenario = {
  name: 'first-sync',
  about: 'a workspace is set up, its index and the store are made, its files are sent',
  isAboutStart: true,
  instance: 'a',
  command: () => ['sync', '--create'],
  prepare: (scene) => twoFiles(scene, 'a'),
}

export const join: Scenario = {
  name: 'join',
  about: 'another workspace joins a store, with files of its own, one of them equal and one different',
  isAboutStart: true,
  instance: 'b',
  command: () => ['sync', '--create'],
  async prepare(scene) {
    await twoFiles(scene, 'a')
    await scene.write('a', 'shared.txt', 'as a has it\n')
    await scene.write('a', 'same.txt', 'the same\n')
    await scene.start()
    await scene.write('b', 'shared.txt', 'as b has it\n')
    await scene.write('b', 'same.txt', 'the same\n')
    await scene.write('b', 'own.txt', 'only b has it\n')
  },
}

export const init: Scenario = {
  name: 'init',
  about: '`davit init` makes the store and the configuration',
  isAboutStart: true,
  instance: 'a',
  command: () => ['init'],
  restart: (scene) => initOrSync(scene, 'a'),
  prepare: (scene) => twoFiles(scene, 'a'),
  async finish(scene) {
    await scene.sync('a')
  },
}

export const initJoining: Scenario = {
  name: 'init-joining',
  about: '`davit init` joins a store that is there',
  isAboutStart: true,
  instance: 'b',
  command: () => ['init'],
  restart: (scene) => initOrSync(scene, 'b'),
  async prepare(scene) {
    await twoFiles(scene, 'a')
    await scene.start()
    await scene.write('b', 'own.txt', 'only b has it\n')
  },
  async finish(scene) {
    await scene.sync('b')
  },
}

export const lateJoin: Scenario = {
  name: 'late-join',
  passes: /GET .*\.db$/,
  about:
    'a newcomer joins by the checkpoint and the changesets after it, with a file that was deleted meanwhile',
  isAboutStart: true,
  instance: 'c',
  command: () => ['sync', '--create'],
  async prepare(scene) {
    await twoFiles(scene, 'a')
    await scene.write('a', 'gone.txt', 'deleted by a\n')
    await scene.start()
    await makeCheckpointDue(scene, 'a')
    await scene.sync('a')
    await scene.write('a', 'after.txt', 'after the checkpoint\n')
    await scene.remove('a', 'gone.txt')
    await scene.sync('a')
    await scene.write('c', 'gone.txt', 'deleted by a\n')
    await scene.write('c', 'own.txt', 'only c has it\n')
  },
}

export const halfMadeIndex: Scenario = {
  name: 'half-made-index',
  about: 'the index is an empty file, as a crash at its creation leaves it, and is migrated from nothing',
  isAboutStart: true,
  instance: 'b',
  command: () => ['sync', '--create'],
  async prepare(scene) {
    await twoFiles(scene, 'a')
    await scene.start()
    await scene.makeFolder('b', '.davit')
    await writeFile(scene.path('b', '.davit', 'metadata.db'), '')
    await scene.write('b', 'own.txt', 'only b has it\n')
  },
}

export const olderIndex: Scenario = {
  name: 'older-index',
  about: 'the index is one of the first schema, and is migrated to the newest',
  isAboutStart: true,
  instance: 'b',
  command: () => ['sync'],
  async prepare(scene) {
    await twoFiles(scene, 'a')
    await scene.start('b')
    await scene.write('a', 'new.txt', 'only a has it\n')
    await scene.sync('a')
    await scene.write('b', 'own.txt', 'only b has it\n')
    toFirstSchema(scene.path('b', '.davit', 'metadata.db'))
  },
}

/** Takes back what the later migrations made. */
function toFirstSchema(file: string): void {
  const connection = new BetterSqlite(file)
  connection.exec(`
    DROP TABLE arriving_files;
    DROP INDEX local_files_inode;
    DELETE FROM __drizzle_migrations WHERE created_at > (SELECT min(created_at) FROM __drizzle_migrations);
    PRAGMA user_version = 1;
  `)
  connection.close()
}

export const copiedState: Scenario = {
  name: 'copied-state',
  about: 'a copied state folder takes a new id and disowns what the former one had said in a conflict',
  isAboutStart: true,
  instance: 'b',
  command: () => ['sync'],
  isClone: true,
  async prepare(scene) {
    await scene.write('a', 'text.txt', 'base\n')
    await scene.start('b')
    await scene.write('a', 'text.txt', 'as a has it\n')
    await scene.sync('a')
    await scene.write('b', 'text.txt', 'as b has it\n')
    await scene.sync('b')
    await scene.sync('a')
    await scene.write('b', 'new.txt', 'new\n')
  },
}

export const lostMarker: Scenario = {
  name: 'lost-configuration',
  about: 'a start without configuration, token and temporary folders makes them anew',
  isAboutStart: true,
  instance: 'a',
  command: () => ['sync', '--create'],
  async prepare(scene) {
    await twoFiles(scene, 'a')
    await scene.start('b')
    for (const name of ['davit.yml', 'token', 'tmp', 'parked'])
      await rm(scene.path('a', '.davit', name), { recursive: true })
    await scene.write('a', 'new.txt', 'new\n')
  },
}

/** Labels of which so much is written into the next changeset that a checkpoint pays. */
export async function makeCheckpointDue(scene: Scene, instance: string): Promise<void> {
  const { randomBytes } = await import('node:crypto')
  for (let number = 1; number <= 8; number++) {
    const path = `labelled/${number}.txt`
    await scene.write(instance, path, `file ${number}\n`)
  }
  await scene.sync(instance)
  for (let number = 1; number <= 8; number++) {
    const label = randomBytes(45_000).toString('base64url')
    const { code, stderr } = await scene.run(instance, 'label', `labelled/${number}.txt`, '--add', label)
    if (code !== 0) throw new Error(stderr)
  }
}
