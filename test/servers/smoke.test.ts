import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { basic, type Dav, davClient, listedNames, succeeded } from '../support/dav.ts'
import { describeServers, type RunningServer, serverKinds, takesPassword } from '../support/servers.ts'

describeServers(serverKinds, (kind, start) => {
  let server: RunningServer
  let dav: Dav

  beforeAll(async () => {
    server = await start()
    // phodav closes connections after some of its answers.
    dav = davClient(server.url, { reuse: kind !== 'phodav' })
  })

  afterAll(async () => {
    await server.stop()
  })

  const moveTo = (path: string) => ({ headers: { destination: `${server.url}${path}`, overwrite: 'F' } })

  it('keeps, gives, lists and deletes files', async () => {
    expect((await dav('MKCOL', '/basics/')).status).toBe(201)
    expect((await dav('PUT', '/basics/one', { body: 'first' })).status).toBe(201)
    expect(succeeded(await dav('PUT', '/basics/one', { body: 'second' }))).toBe(true)
    expect((await dav('PUT', '/basics/empty', { body: '' })).status).toBe(201)
    expect((await dav('GET', '/basics/one')).text).toBe('second')
    expect((await dav('HEAD', '/basics/one')).headers.get('content-length')).toBe('6')
    expect((await dav('GET', '/basics/missing')).status).toBe(404)
    expect((await dav('HEAD', '/basics/missing')).status).toBe(404)
    const listing = await dav('PROPFIND', '/basics/', { headers: { depth: '1' } })
    expect(listing.status).toBe(207)
    expect(listedNames(listing.text, '/basics')).toEqual(['empty', 'one'])
    expect(await readFile(join(server.dataFolder, 'basics/one'), 'utf8')).toBe('second')
    expect(succeeded(await dav('DELETE', '/basics/one'))).toBe(true)
    expect((await dav('GET', '/basics/one')).status).toBe(404)
    expect(succeeded(await dav('DELETE', '/basics/'))).toBe(true)
    expect(await readdir(server.dataFolder)).not.toContain('basics')
  })

  it('does not move onto an existing file with Overwrite: F', async () => {
    await dav('MKCOL', '/moves/')
    await dav('PUT', '/moves/source', { body: 'source' })
    await dav('PUT', '/moves/target', { body: 'target' })
    expect((await dav('MOVE', '/moves/source', moveTo('/moves/target'))).status).toBe(412)
    expect(succeeded(await dav('MOVE', '/moves/source', moveTo('/moves/free')))).toBe(true)
    expect((await dav('GET', '/moves/free')).text).toBe('source')
    expect((await dav('GET', '/moves/target')).text).toBe('target')
    expect((await dav('GET', '/moves/source')).status).toBe(404)
  })

  it('moves one source for exactly one of 16 movers, in each of 40 rounds', async () => {
    await dav('MKCOL', '/race/')
    for (let round = 0; round < 40; round++) {
      await dav('PUT', '/race/head', { body: `round ${round}` })
      const names = Array.from({ length: 16 }, (_, mover) => `${round}-${mover}`)
      const replies = await Promise.all(
        // A loser may be cut off (phodav): what counts is which names exist afterwards.
        names.map((name) => dav('MOVE', '/race/head', moveTo(`/race/${name}`)).catch(() => null)),
      )
      const found = await Promise.all(names.map((name) => dav('GET', `/race/${name}`)))
      const winners = names.filter((_, mover) => found[mover]!.status === 200)
      expect(winners).toHaveLength(1)
      const winner = names.indexOf(winners[0]!)
      expect(found[winner]!.text).toBe(`round ${round}`)
      expect(replies[winner] === null || succeeded(replies[winner]!)).toBe(true)
      expect((await dav('GET', '/race/head')).status).toBe(404)
    }
  })

  it('serves what it had at the same place when it was killed and started again', async () => {
    expect((await dav('PUT', '/kept', { body: 'from before' })).status).toBe(201)
    await server.kill()
    await expect(dav('GET', '/kept')).rejects.toThrow()
    await server.restart()
    expect((await dav('GET', '/kept')).text).toBe('from before')
    expect(succeeded(await dav('DELETE', '/kept'))).toBe(true)
  })

  it('wants the password that it was started with', async () => {
    if (!takesPassword(kind)) {
      await expect(start({ username: 'anna', password: 'secret' })).rejects.toThrow('without passwords')
      return
    }
    const guarded = await start({ username: 'anna', password: 'secret' })
    try {
      const guess = await davClient(guarded.url, { authorization: basic('anna', 'guess') })('PUT', '/f', {
        body: 'x',
      })
      expect([guess.status, guess.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringMatching(/^Basic/i),
      ])
      expect(await readdir(guarded.dataFolder)).toEqual([])
      const right = await davClient(guarded.url, { authorization: basic('anna', 'secret') })('PUT', '/f', {
        body: 'x',
      })
      expect(right.status).toBe(201)
    } finally {
      await guarded.stop()
    }
  })
})
