/** What a sync costs, counted by a proxy in front of the server: requests and bytes, never times. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { type RealInstance, type RealInstances, realInstances } from '../support/real-instances.ts'
import { describeServers, type RunningServer } from '../support/servers.ts'

/** A content's object: `ab/abcd…-token`. */
const contentPath = /^\/store\/[0-9a-f]{2}\/[0-9a-f]{64}-/
const changesetPath = /^\/store\/changes\//

/** Refused ones are not counted: the first content of a folder may find it missing. */
function contents(proxy: TestProxy, method: 'PUT' | 'GET') {
  return proxy.log.filter(
    (entry) => entry.method === method && entry.status < 300 && contentPath.test(entry.path),
  )
}

/** Requests of the syncs themselves: without a checkpoint that became due, and without making folders. */
function ordinary(proxy: TestProxy) {
  return proxy.log.filter(
    ({ method, path, status }) =>
      method !== 'MKCOL' &&
      !(method === 'PUT' && status >= 400) &&
      !/^\/store\/(lock|checkpoints)\//.test(path),
  )
}

function changesets(proxy: TestProxy, method: 'PUT' | 'GET') {
  return proxy.log.filter((entry) => entry.method === method && changesetPath.test(entry.path))
}

/** `count` small files of different contents, at most a thousand in a folder. */
function write(workspace: RealInstance, count: number): void {
  for (let index = 0; index < count; index++) {
    const folder = join(workspace.folder, `folder-${Math.floor(index / 1000)}`)
    if (index % 1000 === 0) mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `file-${index}.txt`), `file ${index}\n${'x'.repeat(index % 500)}`)
  }
}

describeServers(['embedded', 'apache'], (_kind, start) => {
  describe.each([100, 2_000])('with %i files', (count) => {
    let server: RunningServer
    let proxy: TestProxy
    let instances: RealInstances
    let one: RealInstance
    let two: RealInstance

    /** Both know all there is, and neither has a listing of `version/` to make up for after its own commit. */
    async function settle() {
      for (const each of [one, two, one]) await each.sync()
      proxy.forget()
    }

    beforeAll(async () => {
      server = await start()
      proxy = await startProxy(server.url)
      instances = realInstances()
      one = await instances.open('one', `${proxy.url}/store`)
      two = await instances.open('two', `${proxy.url}/store`)
      write(one, count)
      await settle()
      // Two thousand uploads, each brought to the disk by the server.
    }, 240_000)

    afterAll(async () => {
      await instances.close()
      await proxy.stop()
      await server.stop()
    })

    it('a check that finds nothing is one HEAD without a body', async () => {
      await settle()
      const summary = await one.sync()
      expect(proxy.log.map(({ method }) => method)).toEqual(['HEAD'])
      expect(proxy.bytes()).toEqual({ sent: 0, received: 0 })
      expect(summary.requests).toBe(1)
      expect(summary.bytesSent + summary.bytesReceived).toBeLessThan(2_000)
    })

    it('ten edited files move ten contents and one changeset, up and down', async () => {
      await settle()
      for (let index = 0; index < 10; index++)
        writeFileSync(join(one.folder, 'folder-0', `file-${index * 7}.txt`), `edited ${index}`)
      await one.sync()
      expect(contents(proxy, 'PUT')).toHaveLength(10)
      expect(changesets(proxy, 'PUT')).toHaveLength(1)
      expect(contents(proxy, 'GET')).toEqual([])
      // The contents, the changeset, the rename, a look before and after.
      expect(ordinary(proxy).length).toBeLessThanOrEqual(18)
      expect(proxy.bytes().sent).toBeLessThan(10_000)
      proxy.forget()
      await two.sync()
      expect(contents(proxy, 'GET')).toHaveLength(10)
      expect(changesets(proxy, 'GET')).toHaveLength(1)
      expect(ordinary(proxy).length).toBeLessThanOrEqual(18)
      expect(readFileSync(join(two.folder, 'folder-0', 'file-63.txt'), 'utf8')).toBe('edited 9')
    })

    it('a label moves no content', async () => {
      await settle()
      const file = one.instance.files.at('folder-0/file-5.txt')
      await one.instance.files.patchMetadata(file.id, { labels: ['seen'] }, {})
      await one.sync()
      await two.sync()
      expect(two.instance.files.at('folder-0/file-5.txt').metadata).toEqual({ labels: ['seen'] })
      expect(contents(proxy, 'PUT')).toEqual([])
      expect(contents(proxy, 'GET')).toEqual([])
      expect(changesets(proxy, 'PUT')).toHaveLength(1)
      expect(ordinary(proxy).length).toBeLessThanOrEqual(10)
    })

    it('a renamed folder moves no content, at either end', async () => {
      await settle()
      const before = readdirSync(join(one.folder, 'folder-0')).length
      renameSync(join(one.folder, 'folder-0'), join(one.folder, 'renamed'))
      const summary = await one.sync()
      const sent = ordinary(proxy).reduce((sum, entry) => sum + entry.requestBytes, 0)
      expect(summary).toMatchObject({ moved: before, uploaded: 0, deleted: 0 })
      expect(await two.sync()).toMatchObject({ moved: before, downloaded: 0, deleted: 0 })
      expect(contents(proxy, 'PUT')).toEqual([])
      expect(contents(proxy, 'GET')).toEqual([])
      expect(ordinary(proxy).length).toBeLessThanOrEqual(12)
      expect(sent).toBeLessThan(100 * 1024)
      expect(readdirSync(join(two.folder, 'renamed'))).toHaveLength(before)
      expect(readdirSync(two.folder)).not.toContain('folder-0')
      renameSync(join(one.folder, 'renamed'), join(one.folder, 'folder-0'))
    })

    it('a deletion moves no content', async () => {
      await settle()
      for (let index = 80; index < 85; index++) rmSync(join(one.folder, 'folder-0', `file-${index}.txt`))
      expect(await one.sync()).toMatchObject({ deleted: 5, uploaded: 0 })
      expect(await two.sync()).toMatchObject({ deleted: 5, downloaded: 0 })
      expect(contents(proxy, 'PUT')).toEqual([])
      expect(contents(proxy, 'GET')).toEqual([])
      expect(readdirSync(join(two.folder, 'folder-0'))).not.toContain('file-80.txt')
      expect(ordinary(proxy).length).toBeLessThanOrEqual(12)
    })

    it('a content that the store has is not uploaded again, nor one that several new files share', async () => {
      await settle()
      const known = readFileSync(join(one.folder, 'folder-0', 'file-50.txt'))
      writeFileSync(join(one.folder, 'copy of 50.txt'), known)
      for (const name of ['new a.txt', 'new b.txt', 'new c.txt'])
        writeFileSync(join(one.folder, name), 'the same new content')
      expect(await one.sync()).toMatchObject({ uploaded: 1 })
      expect(contents(proxy, 'PUT')).toHaveLength(1)
      // Nor by another instance, which has it from the first one.
      proxy.forget()
      await two.sync()
      proxy.forget()
      writeFileSync(join(two.folder, 'copy at two.txt'), 'the same new content')
      expect(await two.sync()).toMatchObject({ uploaded: 0 })
      expect(contents(proxy, 'PUT')).toEqual([])
      expect(changesets(proxy, 'PUT')).toHaveLength(1)
    })
  })
})
