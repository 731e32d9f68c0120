import { expect, it } from 'vitest'
import { emptyStorePoint } from '../../../src/model/changeset.ts'
import { headContent, headName } from '../../../src/remote/layout.ts'
import type { Transport, TransportRequest, TransportResponse } from '../../../src/remote/transport.ts'
import { openWebdavRemote } from '../../../src/remote/webdav-remote.ts'
import { encodeChain } from '../../support/changesets.ts'
import { answerOf, createMemoryDav, multistatus } from '../../support/memory-dav.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

/** A store with one version, behind a transport that `distort` may answer for. */
async function open(distort: (request: TransportRequest) => TransportResponse | null) {
  const server = createMemoryDav()
  const clock = createVirtualClock()
  const random = createSeededRandom(1)
  const options = { clock, random, instance: () => ({ id: random.uuid(), name: 'x' }) }
  const plain = openWebdavRemote({ transport: server.connect(), ...options })
  const [{ point, bytes } = { point: emptyStorePoint, bytes: new Uint8Array() }] = encodeChain(1, random)
  await clock.run(
    (async () => {
      await plain.createStore()
      await plain.writeChangeset(point, bytes)
      await plain.commit(emptyStorePoint, point)
    })(),
  )
  const inner = server.connect()
  const transport: Transport = {
    ...inner,
    request: async (request) => distort(request) ?? inner.request(request),
  }
  return { server, clock, random, point, plain, remote: openWebdavRemote({ transport, ...options }) }
}

const listing = (...names: string[]) =>
  answerOf(
    207,
    {},
    multistatus([
      ['/dav/store/version/', true],
      ...names.map((name) => [`/dav/store/${name}`, false] as const),
    ]),
  )

it.each([
  ['a 404 for everything', () => answerOf(404), 'remote-unexpected'],
  [
    'a login page',
    () => answerOf(200, { 'content-type': 'text/html' }, '<html></html>'),
    'remote-unexpected',
  ],
  ['a server error', () => answerOf(502), 'remote-unreachable'],
  ['a busy server', () => answerOf(503, { 'retry-after': '9' }), 'remote-busy'],
  ['a refused password', () => answerOf(401), 'remote-unauthorized'],
  ['a listing of nothing at all', () => answerOf(207, {}, multistatus([])), 'remote-unexpected'],
  [
    'a listing of another place',
    () => answerOf(207, {}, multistatus([['/other/', true]])),
    'remote-unexpected',
  ],
  ['a 207 that is a page', () => answerOf(207, {}, '<html></html>'), 'remote-unexpected'],
])('%s is an error and never says that the store is missing or empty', async (_, distort, code) => {
  const { remote, clock, point } = await open(distort)
  await expect(clock.run(remote.listHeads())).rejects.toMatchObject({ code })
  if (distort().status !== 404) await expect(clock.run(remote.check(point))).rejects.toBeDefined()
})

it('names that come and go within a look are looked at again before they are believed', async () => {
  const answers = [
    listing(),
    listing(headName({ version: 1, hash: 'a'.repeat(64) }), headName({ version: 2, hash: 'b'.repeat(64) })),
  ]
  const { remote, clock, point } = await open((request) =>
    request.name === 'version/' ? (answers.shift() ?? null) : null,
  )
  const start = clock.monotonic()
  expect(await clock.run(remote.listHeads())).toEqual({ kind: 'one', head: point })
  expect(clock.monotonic() - start).toBe(2_000)
})

it('a folder that is really empty is empty after three looks, a store that is gone is missing', async () => {
  const { server, plain, clock } = await open(() => null)
  for (const name of [...server.files.keys()]) if (name.includes('/version/')) server.files.delete(name)
  expect(await clock.run(plain.listHeads())).toEqual({ kind: 'empty' })
  server.folders.delete('dav/store/version')
  server.folders.delete('dav/store')
  expect(await clock.run(plain.listHeads())).toEqual({ kind: 'missing' })
})

it('what is not a head in version/ is left alone and not counted', async () => {
  const { server, plain, clock, point } = await open(() => null)
  for (const name of ['.DS_Store', 'notes', `000000000000-${'1'.repeat(64)}`, `00001-${'1'.repeat(64)}`])
    server.files.set(`dav/store/version/${name}`, new Uint8Array())
  server.folders.add(`dav/store/version/000000000009-${'9'.repeat(64)}`)
  expect(await clock.run(plain.listHeads())).toEqual({ kind: 'one', head: point })
})

it('a head whose first upload was torn is told by listing, a page in its place is an error', async () => {
  const { server, remote, clock, point } = await open(() => null)
  server.files.set(`dav/store/${headName(point)}`, headContent.subarray(0, 5))
  expect(await clock.run(remote.check(point))).toBe('unchanged')
  const portal = await open((request) =>
    request.method === 'HEAD'
      ? answerOf(200, { 'content-length': '32', 'content-type': 'text/html' })
      : answerOf(200, {}, 'page'),
  )
  await expect(portal.clock.run(portal.remote.check(portal.point))).rejects.toMatchObject({
    code: 'remote-unexpected',
  })
})

it('healing deletes nothing when the winner has no changeset', async () => {
  const { server, plain, clock, point } = await open(() => null)
  const ghost = { version: 2, hash: 'a'.repeat(64) }
  server.files.set(`dav/store/${headName(ghost)}`, headContent)
  await expect(clock.run(plain.healHeads([ghost, point]))).rejects.toMatchObject({ code: 'remote-damaged' })
  expect(server.files.has(`dav/store/${headName(point)}`)).toBe(true)
})

it('a store is made under folders that are missing too, and not where nothing answers as WebDAV', async () => {
  const server = createMemoryDav({ root: 'dav/a/b/store', bare: true })
  const clock = createVirtualClock()
  const random = createSeededRandom(1)
  const transport = server.connect()
  const options = { clock, random, instance: () => ({ id: random.uuid(), name: 'x' }) }
  await clock.run(openWebdavRemote({ transport, ...options }).createStore())
  expect(server.files.has(`dav/a/b/store/${headName(emptyStorePoint)}`)).toBe(true)
  const refused = openWebdavRemote({
    transport: { ...transport, request: async () => answerOf(405) },
    ...options,
  })
  await expect(clock.run(refused.createStore())).rejects.toMatchObject({ code: 'remote-unexpected' })
})

it.each([403, 409, 500])(
  'a creator who comes second finds the folder made, though the server answers %i',
  async (status) => {
    const server = createMemoryDav({ root: 'dav/store', bare: true })
    const clock = createVirtualClock()
    const random = createSeededRandom(1)
    const inner = server.connect()
    const other = server.connect()
    const transport: Transport = {
      ...inner,
      request: async (request) => {
        if (request.method !== 'MKCOL' || request.name !== '') return inner.request(request)
        await other.request(request)
        return answerOf(status)
      },
    }
    const options = { clock, random, instance: () => ({ id: random.uuid(), name: 'x' }) }
    await clock.run(openWebdavRemote({ transport, ...options }).createStore())
    expect(server.files.has(`dav/store/${headName(emptyStorePoint)}`)).toBe(true)
  },
)
