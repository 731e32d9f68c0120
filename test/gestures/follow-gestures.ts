/** The gestures, one after the other in one workspace that is watched in one way. */
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openWatchedInstance, type WatchedInstance, type WatchedMode } from '../support/watched-instance.ts'
import { createStage, type Gesture, isLongForm } from './gestures.ts'

const timeLimitMs = isLongForm ? 900_000 : 60_000
/** Folders of a gesture into which something is written afterwards. */
const foldersTried = 40

export function followGestures(mode: WatchedMode, gestures: readonly Gesture[]): void {
  let instance: WatchedInstance
  beforeAll(async () => {
    instance = await openWatchedInstance({ mode })
  })
  afterAll(async () => {
    await createStage(instance.files.root, instance.files.root).run('sh', '-c', 'rm -rf g*')
    await instance.close()
  })

  it.each(gestures.map((gesture, index) => [gesture.name, gesture, index] as const))(
    '%s',
    async (_name, gesture, index) => {
      const { files, told } = instance
      const folder = `g${index}`
      const outside = path.join(path.dirname(files.root), `outside${index}`)
      fs.mkdirSync(files.at(folder))
      fs.mkdirSync(outside)
      const stage = createStage(files.at(folder), outside)
      await gesture.prepare?.(stage)
      await instance.follows(folder)

      const before = told.length
      await gesture.act(stage)
      await instance.follows(folder)

      // Whatever is there now has to be watched, too: a folder that slipped in shows only when something happens in it.
      const written = foldersBelow(stage.folder)
        .filter((found) => !(gesture.leaves ?? []).some((left) => found.startsWith(stage.at(left))))
        .slice(0, foldersTried)
      for (const found of written) fs.writeFileSync(path.join(found, 'later'), 'later')
      await instance.follows(folder)
      if (gesture.isMassive !== true)
        expect(told.slice(before).filter(({ kind }) => kind !== 'paths')).toEqual([])
      expect(instance.watching()).toMatchObject({ mode, fallback: null })

      await createStage(files.root, outside).run('rm', '-rf', folder)
      await instance.follows(folder)
    },
    timeLimitMs,
  )

  it('and nothing else has changed in the index', async () => {
    await createStage(instance.files.root, instance.files.root).run('sh', '-c', 'rm -rf g*')
    await instance.follows()
    expect(instance.database.verify()).toEqual([])
    expect(instance.database.trees.localPage({ limit: 10 })).toEqual([])
  })
}

/** Real folders only, the top one included. */
function foldersBelow(top: string): string[] {
  const found = [top]
  for (const folder of found) {
    if (folder.length > 3_500) continue
    for (const entry of fs.readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) found.push(path.join(folder, entry.name))
  }
  return found
}
