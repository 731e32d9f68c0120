import { expect, it } from 'vitest'
import { createSimulatedDisk } from '../../simulator/disk.ts'
import { failure } from '../../simulator/disk-tree.ts'
import { createStandingClock, openDiskWorkspace, rootFolder } from '../../simulator/disk-workspace.ts'
import { createSeededRandom } from '../../support/virtual-clock.ts'

it('a marker that the disk does not give back is no marker, and no unknown error', async () => {
  const clock = createStandingClock()
  const random = createSeededRandom(1)
  const disk = createSimulatedDisk({ now: clock.now })
  disk.user.makeFolder(rootFolder)
  let isFailing = false
  const { calls } = disk.process({
    before: ({ name }) => {
      if (isFailing && name === 'readSync') throw failure('EIO', name, null)
    },
  })
  const workspace = await openDiskWorkspace({ calls, clock, random })
  await workspace.renewMarker('0123456789abcdef')
  expect((await workspace.rootState()).kind).toBe('present')
  isFailing = true
  expect((await workspace.rootState()).kind).toBe('replaced')
  isFailing = false
  expect((await workspace.rootState()).kind).toBe('present')
})

it('a state folder that cannot be read is told as what it is', async () => {
  const clock = createStandingClock()
  const disk = createSimulatedDisk({ now: clock.now })
  disk.user.makeFolder(rootFolder)
  let isFailing = false
  const { calls } = disk.process({
    before: ({ name }) => {
      if (isFailing && name === 'readdir') throw failure('EIO', name, null)
    },
  })
  const workspace = await openDiskWorkspace({ calls, clock, random: createSeededRandom(1) })
  disk.user.makeFolder(`${rootFolder}/.davit/tmp`)
  disk.user.makeFolder(`${rootFolder}/.davit/parked`)
  isFailing = true
  const unreadable = { code: 'file-unreadable' }
  await expect(workspace.cleanUp({ trashAgeMs: 0, nowMs: clock.now() })).rejects.toMatchObject(unreadable)
  await expect(workspace.parked()).rejects.toMatchObject(unreadable)
})
