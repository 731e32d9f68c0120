/** That the simulated server does what the row of its profile says, for every row. */
import { describe, expect, it } from 'vitest'
import { parseMultistatus } from '../../../src/remote/multistatus.ts'
import type { Transport, TransportRequest } from '../../../src/remote/transport.ts'
import { profileNames, profiles, type ServerProfile } from '../../simulator/profiles.ts'
import { createSimulatedServer } from '../../simulator/server.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

const text = (value: string) => new TextEncoder().encode(value)
const read = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes))

function open(profile: ServerProfile, seed = 1) {
  const clock = createVirtualClock()
  const server = createSimulatedServer({
    profile,
    clock,
    random: createSeededRandom(seed),
    latencyMs: { min: 0, max: 0 },
  })
  const connect = (name: string) => {
    const transport = server.connect({ name, clock })
    /** The status, or `cut` when the connection was closed. */
    const ask = async (request: TransportRequest): Promise<number | 'cut'> => {
      const response = await answerOrCut(transport, request)
      return response === 'cut' ? 'cut' : response.status
    }
    return { transport, ask }
  }
  return { server, clock, connect, ...connect('one') }
}

async function answerOrCut(transport: Transport, request: TransportRequest) {
  try {
    return await transport.request(request)
  } catch {
    return 'cut'
  }
}

async function bodyOf(transport: Transport, request: TransportRequest): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (await transport.request(request)).body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** What is refused or passed when the condition is not looked at. */
const put = (name: string, body: string, headers: Record<string, string> = {}): TransportRequest => ({
  method: 'PUT',
  name,
  body: text(body),
  headers,
})

const transfer = (
  method: 'MOVE' | 'COPY',
  name: string,
  destination: string,
  overwrite: boolean,
  destinationForm: 'absolute' | 'path',
): TransportRequest => ({ method, name, destination, overwrite, destinationForm })

describe.each(profileNames)('the profile %s', (name) => {
  const profile = profiles[name] as ServerProfile
  const form = profile.destination.absolute === 'taken' ? 'absolute' : 'path'

  it('answers PUT, and looks at conditions or not, as its row says', async () => {
    const { server, clock, ask } = open(profile)
    await clock.run(
      (async () => {
        expect(await ask(put('a', 'one'))).toBe(profile.put.created)
        expect(await ask(put('a', 'two'))).toBe(profile.put.replaced)
        const ignores = profile.put.conditions === 'ignored'
        const refused = ignores ? profile.put.replaced : 412
        expect(await ask(put('a', 'three', { 'if-none-match': '*' }))).toBe(refused)
        expect(await ask(put('a', 'three', { 'if-match': '"wrong"' }))).toBe(refused)
        expect(read(server.read('a'))).toBe(ignores ? 'three' : 'two')
        const { missingParent } = profile.put
        expect(await ask(put('missing/a', 'x'))).toBe(
          missingParent === 'made' ? profile.put.created : missingParent,
        )
        server.write('folder/inner', text('x'))
        expect(await ask(put('folder', 'x'))).toBe(profile.put.onCollection)
        expect(await ask(put('x'.repeat(profile.nameBytesMax + 1), 'x'))).toBe(500)
        expect(await ask(put('x'.repeat(profile.nameBytesMax), 'x'))).toBe(profile.put.created)
      })(),
    )
  })

  it('lets racing conditional PUTs pass, or one of them, as its row says', async () => {
    const { server, clock, connect } = open(profile)
    await clock.run(
      (async () => {
        server.setFaults({ slowUpload: 1 })
        const statuses = await Promise.all(
          [1, 2, 3, 4].map((one) => connect(`${one}`).ask(put('a', `by ${one}`, { 'if-none-match': '*' }))),
        )
        const winners = statuses.filter((status) => status !== 412 && status !== 423).length
        // Written in place, the name is there at once, and an honest test of the next one finds it.
        if (profile.put.conditions === 'atomic' || profile.locksWhileWriting) expect(winners).toBe(1)
        else if (profile.put.conditions === 'ignored' || profile.put.newName === 'hidden')
          expect(winners).toBe(4)
      })(),
    )
  })

  it('shows and keeps what is being written, or has been cut, as its row says', async () => {
    const { server, clock, ask, connect } = open(profile)
    const reader = connect('reader')
    await clock.run(
      (async () => {
        const seenWhile = async (target: string) => {
          server.setFaults({ slowUpload: 1 })
          const writing = ask(put(target, 'abcdefgh'))
          await clock.sleep(0)
          server.setFaults({})
          const response = await answerOrCut(reader.transport, { method: 'GET', name: target })
          const before = response === 'cut' || response.status === 404 ? null : read(server.read(target))
          await writing
          return response === 'cut' ? 'blocked' : before
        }
        const fresh = await seenWhile('new')
        expect(fresh).toBe({ hidden: null, partial: 'abcd', blocked: 'blocked' }[profile.put.newName])
        server.write('old', text('12345678'))
        if (profile.put.newName !== 'blocked')
          expect(await seenWhile('old')).toBe({ old: '12345678', partial: 'abcd' }[profile.put.existing])

        server.setFaults({ cutUpload: 1 })
        expect(await ask(put('cut', 'abcdefgh'))).toBe('cut')
        expect(await ask(put('old', 'ABCDEFGH'))).toBe('cut')
        const keeps = profile.put.cut === 'kept'
        expect(server.read('cut') !== null).toBe(keeps)
        expect(server.read('cut')?.length ?? 0).toBeLessThan(8)
        expect('ABCDEFGH'.startsWith(read(server.read('old')) ?? '?')).toBe(keeps)
      })(),
    )
  })

  it('answers MKCOL as its row says, and lets one of several make it where it is exclusive', async () => {
    const { server, clock, ask, connect } = open(profile)
    const make = (target: string): TransportRequest => ({ method: 'MKCOL', name: target })
    await clock.run(
      (async () => {
        const { mkcol } = profile
        expect(await ask(make('a/'))).toBe(201)
        expect(await ask(make('a/'))).toBe(mkcol.existing)
        expect(await ask(make('b'))).toBe(mkcol.withoutSlash)
        expect(await ask(make('missing/b/'))).toBe(mkcol.missingParent === 'made' ? 201 : mkcol.missingParent)
        server.write('file', text('x'))
        expect(await ask(make('file/'))).toBe(mkcol.onFile.withSlash)
        expect(await ask(make('file'))).toBe(mkcol.onFile.withoutSlash)
        server.setFaults({ slowEffect: 1 })
        const racing = Array.from({ length: 8 }, (_, index) => connect(`${index}`).ask(make('race/')))
        const made = (await Promise.all(racing)).filter((status) => status === 201 || status === 'cut')
        // Whoever tests last finds the folder made; those before have all passed their test.
        if (mkcol.isExclusive) expect(made.filter((status) => status === 201).length).toBeLessThanOrEqual(1)
        else if (!profile.locksWhileWriting) expect(made).toHaveLength(8)
      })(),
    )
  })

  it('answers MOVE and COPY as its row says', async () => {
    const { server, clock, ask } = open(profile)
    await clock.run(
      (async () => {
        const { move, copy, destination } = profile
        const none = await ask(transfer('MOVE', 'nothing', 'x', false, form))
        expect(none).toBe(move.missingSource)
        server.write('a', text('a'))
        server.write('b', text('b'))
        expect(await ask(transfer('MOVE', 'a', 'b', false, form))).toBe(move.existing)
        expect(read(server.read('b'))).toBe('b')
        expect(await ask(transfer('MOVE', 'a', 'c', false, form))).toBe(move.created)
        expect([read(server.read('a')), read(server.read('c'))]).toEqual([null, 'a'])
        const replaced = await ask(transfer('MOVE', 'c', 'b', true, form))
        expect(move.cutsWhenReplacing ? [move.replaced, 'cut'] : [move.replaced]).toContain(replaced)
        expect(read(server.read('b'))).toBe('a')
        const { missingParent } = move
        expect(await ask(transfer('MOVE', 'b', 'missing/b', false, form))).toBe(
          missingParent === 'made' ? move.created : missingParent,
        )
        server.write('b', text('b'))
        for (const each of ['absolute', 'path'] as const) {
          const taken = destination[each]
          if (taken !== 'taken') expect(await ask(transfer('MOVE', 'b', 'd', false, each))).toBe(taken)
        }
        if (copy === null) {
          expect(await ask(transfer('COPY', 'b', 'e', false, form))).toBe(501)
          return
        }
        expect(await ask(transfer('COPY', 'nothing', 'x', false, form))).toBe(copy.missingSource)
        expect(await ask(transfer('COPY', 'b', 'e', false, form))).toBe(copy.created)
        expect([read(server.read('b')), read(server.read('e'))]).toEqual(['b', 'b'])
        server.write('f', text('f'))
        const onto = await ask(transfer('COPY', 'f', 'e', false, form))
        if (copy.existing !== 'ignored') expect(onto).toBe(copy.existing)
        expect(read(server.read('e'))).toBe(copy.existing === 'ignored' ? 'f' : 'b')
        expect(await ask(transfer('COPY', 'b', 'other/e', false, form))).toBe(
          copy.missingParent === 'made' ? copy.created : copy.missingParent,
        )
      })(),
    )
  })

  it('has one holder of one source that many rename, unless it copies', async () => {
    let several = 0
    for (let seed = 1; seed <= 20; seed++) {
      const { server, clock, connect } = open(profile, seed)
      await clock.run(
        (async () => {
          server.write('version/source', text('s'))
          const racing = Array.from({ length: 8 }, (_, index) =>
            connect(`${index}`).ask(
              transfer('MOVE', 'version/source', `version/target-${index}`, false, form),
            ),
          )
          await Promise.all(racing)
          const holders = server.names().filter((each) => each.includes('target')).length
          if (profile.move.how === 'rename') expect(holders).toBe(1)
          expect(holders).toBeGreaterThan(0)
          expect(server.names()).not.toContain('version/source')
          if (holders > 1) several++
        })(),
      )
    }
    expect(several > 0).toBe(profile.move.how === 'copy')
  })

  it('answers DELETE, GET, HEAD and ranges as its row says', async () => {
    const { server, clock, ask, transport } = open(profile)
    await clock.run(
      (async () => {
        const { delete: remove, get } = profile
        server.write('a', text('0123456789'))
        server.write('folder/a', text('x'))
        expect(await ask({ method: 'GET', name: 'folder/' })).toBe(get.onCollection)
        expect(await ask({ method: 'GET', name: 'missing' })).toBe(404)
        const head = await transport.request({ method: 'HEAD', name: 'a' })
        expect(head.headers['content-length']).toBe(get.headLength ? '10' : undefined)
        expect(head.headers['date'] !== undefined).toBe(profile.date)
        expect(head.headers['last-modified'] !== undefined).toBe(get.lastModified)
        const tags = { none: /^$/, strong: /^"/, seconds: /^"/, 'weak-first': /^W\/"/ }
        expect(head.headers['etag'] ?? '').toMatch(tags[get.etag])
        const part = (range: string): TransportRequest => ({ method: 'GET', name: 'a', headers: { range } })
        expect(await ask(part('bytes=2-4'))).toBe(get.ranges ? 206 : 200)
        expect(await bodyOf(transport, part('bytes=2-4'))).toBe(get.ranges ? '234' : '0123456789')
        expect(await bodyOf(transport, part('bytes=-3'))).toBe(get.ranges ? '789' : '0123456789')
        expect(await ask(part('bytes=10-'))).toBe(get.beyondEnd)
        expect(await ask({ method: 'DELETE', name: 'a', headers: { 'if-match': '"wrong"' } })).toBe(
          profile.put.conditions === 'ignored' ? remove.done : 412,
        )
        server.write('a', text('x'))
        expect(await ask({ method: 'DELETE', name: 'a' })).toBe(remove.done)
        expect(await ask({ method: 'DELETE', name: 'a' })).toBe(remove.missing)
        expect(await ask({ method: 'DELETE', name: 'folder' })).toBe(remove.collectionWithoutSlash)
        const goesAnyway = remove.collectionWithoutSlash < 400
        expect(server.names().includes('folder/a')).toBe(!goesAnyway)
        server.write('folder/a', text('x'))
        expect(await ask({ method: 'DELETE', name: 'folder/' })).toBe(remove.done)
        expect(server.names()).toEqual([])
      })(),
    )
  })

  it('lists in the form of its row, which the real parser reads', async () => {
    const { server, clock, transport } = open(profile)
    await clock.run(
      (async () => {
        for (const each of ['folder/a b', 'folder/.dot', 'folder/é%2d', 'folder/inner/x'])
          server.write(each, text('x'))
        const url = `${transport.url}folder/`
        const xml = await bodyOf(transport, { method: 'PROPFIND', name: 'folder/', depth: '1' })
        const listing = await parseMultistatus(xml, url)
        const names = listing.entries.map((entry) => `${entry.name}${entry.isCollection ? '/' : ''}`).sort()
        const dot = profile.listing.hidesDotNames ? [] : ['.dot']
        expect(names).toEqual([...dot, 'a b', profile.listing.marksFolders ? 'inner/' : 'inner', 'é%2d'])
        expect(listing.hasOwn).toBe(profile.listing.own === 'always')
        expect(listing.ignored).toEqual([])
        const own = await bodyOf(transport, { method: 'PROPFIND', name: 'folder/', depth: '0' })
        expect(await parseMultistatus(own, url)).toMatchObject({ entries: [], hasOwn: true })
        const host = { path: '>/dav', absolute: '>http://dav.test/', internal: '>http://backend' }
        expect(xml).toContain(`href${host[profile.listing.href]}`)
        const missing = await transport.request({ method: 'PROPFIND', name: 'missing/', depth: '1' })
        expect(missing.status).toBe(404)
      })(),
    )
  })
})
