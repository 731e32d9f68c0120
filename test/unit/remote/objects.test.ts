import { expect, it } from 'vitest'
import type { Transport, TransportRequest, TransportResponse } from '../../../src/remote/transport.ts'
import { openWebdavRemote } from '../../../src/remote/webdav-remote.ts'
import { collectingSink, encodeChain, sha256Of, sourceOf } from '../../support/changesets.ts'
import { withFaults } from '../../support/faulty-transport.ts'
import { answerOf, createMemoryDav } from '../../support/memory-dav.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

const bytes = new Uint8Array(300_000).map((_, index) => index % 251)
const hash = sha256Of(bytes)

function open(
  distort: (request: TransportRequest, inner: Transport) => Promise<TransportResponse> | null = () => null,
) {
  const server = createMemoryDav()
  const clock = createVirtualClock()
  const random = createSeededRandom(4)
  const inner = server.connect()
  const transport: Transport = {
    ...inner,
    request: (request) => distort(request, inner) ?? inner.request(request),
  }
  const remote = openWebdavRemote({
    transport,
    clock,
    random,
    instance: () => ({ id: random.uuid(), name: 'x' }),
  })
  return { server, clock, random, remote, inner }
}

const objects = (server: ReturnType<typeof createMemoryDav>) =>
  [...server.files.keys()].filter((name) => name.includes(hash))

it('a small content meets its missing folder once, a large one makes it first, the next need not', async () => {
  const { server, clock, remote } = open()
  const small = new TextEncoder().encode('small')
  await clock.run(remote.writeContent(sha256Of(small), sourceOf(small)))
  expect(server.log.map((line) => line.split(' ')[0])).toEqual(['PUT', 'MKCOL', 'PUT'])
  const [first, , second] = server.log
  expect(first).not.toBe(second)
  server.log.length = 0
  await clock.run(remote.writeContent(hash, sourceOf(bytes)))
  await clock.run(remote.writeContent(hash, sourceOf(bytes)))
  expect(server.log.map((line) => line.split(' ')[0])).toEqual(['MKCOL', 'PUT', 'PUT'])
})

it('an upload in doubt leaves its name behind and is made anew under another', async () => {
  let cuts = 2
  const { server, clock, random, remote, inner } = open((request, transport) =>
    request.method === 'PUT' && cuts-- > 0
      ? withFaults(transport, { lostReply: 1 }, clock, random).request(request)
      : null,
  )
  await clock.run(inner.request({ method: 'MKCOL', name: `${hash.slice(0, 2)}/` }))
  const name = await clock.run(remote.writeContent(hash, sourceOf(bytes)))
  expect(objects(server)).toHaveLength(3)
  expect(new Set(server.log.filter((line) => line.startsWith('PUT'))).size).toBe(3)
  expect(server.log.at(-1)).toBe(`PUT ${name}`)
})

it('a page that answers 200 to an upload is not believed', async () => {
  const { clock, remote } = open((request) =>
    Promise.resolve(
      request.method === 'PROPFIND' || request.method === 'MKCOL'
        ? answerOf(request.method === 'MKCOL' ? 201 : 404)
        : answerOf(200, { 'content-type': 'text/html', 'content-length': '17' }, '<html>ok</html>\n\n'),
    ),
  )
  await expect(clock.run(remote.writeContent(hash, sourceOf(bytes)))).rejects.toMatchObject({
    action: 'retry',
  })
})

it.each([
  [507, 'remote-full'],
  [413, 'remote-too-large'],
  [401, 'remote-unauthorized'],
  [403, 'remote-unauthorized'],
  [423, 'remote-busy'],
  [500, 'remote-unreachable'],
  [207, 'remote-unexpected'],
  [405, 'remote-unexpected'],
])('an upload answered with %i ends as %s after a bounded number of attempts', async (status, code) => {
  const { clock, remote, server } = open((request) =>
    request.method === 'PUT' ? Promise.resolve(answerOf(status)) : null,
  )
  await expect(clock.run(remote.writeContent(hash, sourceOf(bytes)))).rejects.toMatchObject({ code })
  expect(server.log.length).toBeLessThan(8)
})

it('a torn or wrong content is read again from the start, and is damage when it stays so', async () => {
  let torn = 2
  const { server, clock, random, remote } = open((request, inner) =>
    request.method === 'GET' && torn-- > 0
      ? withFaults(inner, { tornDownload: 1 }, clock, random).request(request)
      : null,
  )
  const name = await clock.run(remote.writeContent(hash, sourceOf(bytes)))
  const sink = collectingSink()
  await clock.run(remote.readContent(name, { hash, size: bytes.length }, sink))
  expect(sha256Of(sink.bytes())).toBe(hash)
  expect(sink.restarts()).toBe(2)
  server.files.set(
    `dav/store/${name}`,
    bytes.map((byte) => byte ^ 1),
  )
  await expect(
    clock.run(remote.readContent(name, { hash, size: bytes.length }, collectingSink())),
  ).rejects.toMatchObject({
    code: 'remote-damaged',
    action: 'ask',
  })
})

it('a 404 on everything is no damage: the server is asked whether it is there at all', async () => {
  let isDown = false
  const { clock, remote } = open(() => (isDown ? Promise.resolve(answerOf(404)) : null))
  const name = await clock.run(remote.writeContent(hash, sourceOf(bytes)))
  isDown = true
  await expect(
    clock.run(remote.readContent(name, { hash, size: bytes.length }, collectingSink())),
  ).rejects.toMatchObject({
    code: 'remote-unexpected',
    action: 'retry',
  })
  await expect(clock.run(remote.hasContent(name, bytes.length))).rejects.toMatchObject({ action: 'retry' })
})

it.each(['../../etc/passwd', 'version/x', `ab/${'c'.repeat(64)}-${'0'.repeat(24)}`, `/${hash}`])(
  'no request is made for %s, whatever a changeset says',
  async (name) => {
    const { server, clock, remote } = open()
    await expect(
      clock.run(remote.readContent(name, { hash, size: 1 }, collectingSink())),
    ).rejects.toMatchObject({
      code: 'remote-damaged',
    })
    expect(server.log).toEqual([])
  },
)

it('a changeset whose upload ended in doubt is never sent again under its name', async () => {
  for (const fault of [{ lostReply: 1 }, { lostRequest: 1 }, { late: 1 }]) {
    let faults = 1
    let sent = 0
    const { clock, random, remote } = open((request, inner) => {
      if (request.method !== 'PUT') return null
      sent++
      return faults-- > 0 ? withFaults(inner, fault, clock, random).request(request) : null
    })
    const [one] = encodeChain(1, random)
    await expect(clock.run(remote.writeChangeset(one!.point, one!.bytes))).rejects.toMatchObject({
      code: 'remote-unreachable',
      action: 'retry',
    })
    expect(sent).toBe(1)
  }
})

it('a changeset that the server has plainly refused is sent again; a page that answers 200 is not believed', async () => {
  const answers = [answerOf(423), answerOf(200, { 'content-type': 'text/html' }, '<html>'), answerOf(429)]
  const { clock, random, remote, server } = open((request) => {
    const answer = request.method === 'PUT' ? answers.shift() : undefined
    return answer === undefined ? null : Promise.resolve(answer)
  })
  const [one] = encodeChain(1, random)
  await clock.run(remote.writeChangeset(one!.point, one!.bytes))
  expect(answers).toEqual([])
  expect(await clock.run(remote.hasChangeset(one!.point))).toBe(true)
  expect(server.log.filter((line) => line.startsWith('PUT'))).toHaveLength(2)
})

it('a folder that the server is too busy to make is asked for again, as rclone answers whoever comes second', async () => {
  let busy = 2
  const { server, clock, remote } = open((request) =>
    request.method === 'MKCOL' && busy-- > 0 ? Promise.resolve(answerOf(423)) : null,
  )
  await clock.run(remote.writeContent(hash, sourceOf(bytes)))
  expect(server.log.map((line) => line.split(' ')[0])).toEqual(['MKCOL', 'PUT'])
})

it('a checkpoint counts also when the connection breaks while it is copied for people', async () => {
  const checkpoint = { version: 1, hash: 'c'.repeat(64) }
  for (const fault of [{ lostReply: 1 }, { lostRequest: 1 }]) {
    const { clock, random, remote } = open((request, inner) =>
      request.method === 'COPY' ? withFaults(inner, fault, clock, random).request(request) : null,
    )
    const reference = await clock.run(remote.writeCheckpoint(checkpoint, { hash, source: sourceOf(bytes) }))
    const sink = collectingSink()
    await clock.run(remote.readCheckpoint(reference, sink))
    expect(sha256Of(sink.bytes())).toBe(hash)
  }
})
