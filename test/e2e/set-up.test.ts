/** What a person meets first: the demo, `init`, `serve`, the state folder, and how all of it starts again. */
import { cp, mkdir, rename, rm, stat } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RunSummary } from '../../src/model/run.ts'
import { startWebdavServer } from '../../src/webdav-server/webdav-server.ts'
import { Bench, until } from '../support/process.ts'

let bench: Bench
let server: { readonly url: string; close(): Promise<void> }

beforeEach(async () => {
  bench = await Bench.make()
  await mkdir(bench.path('dav'))
  server = await startWebdavServer({ root: bench.path('dav'), port: 0 })
})
afterEach(async () => {
  await bench.clear()
  await server.close()
})

const remote = () => `${server.url}/team`

describe('the demo', () => {
  it('replicates between its workspaces, stops cleanly and goes on at the next start', async () => {
    const first = bench.start(['demo'])
    await first.line(/^Ctrl-C stops/)
    const ready = first.stdout().match(/^davit ready http:\S+ version=\d+/gm)
    expect(ready).toHaveLength(2)
    expect(first.stdout()).toMatch(/^davit webdav ready http:\S+[^/]$/m)

    await bench.write('demo/anna/hello.md', 'hello')
    await until(() => bench.has('demo/ben/hello.md'), 'the new file')
    await rename(bench.path('demo/ben/hello.md'), bench.path('demo/ben/notes/hi.md'))
    await until(() => bench.has('demo/anna/notes/hi.md') && !bench.has('demo/anna/hello.md'), 'the rename')
    await rm(bench.path('demo/anna/notes/hi.md'))
    await until(() => !bench.has('demo/ben/notes/hi.md'), 'the deletion')

    first.signal('SIGINT')
    const end = await first.ended
    expect(end.code).toBe(0)
    expect(end.stderr).not.toMatch(/failed|halted|Error|Warning/)

    await bench.write('demo/anna/later.md', 'written while nothing ran')
    const second = bench.start(['demo', '--json'])
    await until(() => bench.has('demo/ben/later.md'), 'the change from between')
    second.signal('SIGINT')
    expect((await second.ended).code).toBe(0)
    expect((await second.ended).json()).toMatchObject({ instances: [{ name: 'anna' }, { name: 'ben' }] })
  })

  it('has instances that the commands find from inside their workspaces', async () => {
    const demo = bench.start(['demo'])
    await demo.line(/^Ctrl-C stops/)
    const status = await bench.run(['status', '--json'], { cwd: bench.path('demo/anna/notes') })
    expect(status.code, status.stderr).toBe(0)
    expect(status.json()).toMatchObject({ instance: 'anna', watch: 'native' })
    await demo.stop()
    const later = await bench.run(['status', '--json'], { cwd: bench.path('demo/anna/notes') })
    expect(later.json()).toMatchObject({ instance: 'anna', watch: 'off' })
  })
})

describe('serve', () => {
  it('prints one line when it is ready, and nothing else on standard output', async () => {
    await bench.write('a/one.txt', 'one')
    const served = await bench.serve('a', '--create', '--remote', remote(), '--instance', 'anna')
    expect(served.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    const end = await served.process.stop()
    expect(end.code).toBe(0)
    expect(end.stdout).toMatch(/^davit ready http:\/\/127\.0\.0\.1:\d+ version=\d+\n$/)
  })

  it('says the same as a JSON document', async () => {
    await mkdir(bench.path('a'))
    const serve = bench.start([
      ...['serve', '--create', '--json', '--port', '0', '--workspace', 'a'],
      ...['--remote', remote(), '--instance', 'anna'],
    ])
    await serve.line(/"url"/)
    const end = await serve.stop()
    expect(end.json()).toEqual({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      version: expect.any(Number),
      instance: 'anna',
    })
  })

  it('keeps in the state folder what the interface names', async () => {
    await bench.write('a/one.txt', 'one')
    const served = await bench.serve('a', '--create', '--remote', remote(), '--instance', 'anna')
    await served.sync()
    const holder = JSON.parse(await bench.read('a/.davit/instance.json'))
    expect(holder).toMatchObject({ pid: served.process.pid, start: expect.anything(), url: served.url })
    expect((await stat(bench.path('a/.davit/token'))).mode & 0o777).toBe(0o600)
    for (const name of ['metadata.db', 'davit.yml', 'tmp']) expect(bench.has(`a/.davit/${name}`)).toBe(true)
    await served.process.stop()
    expect(bench.has('a/.davit/instance.json')).toBe(false)
    // What --create set up is found without any option from now on, anywhere inside.
    await mkdir(bench.path('a/deep/er'), { recursive: true })
    const status = await bench.run(['status', '--json'], { cwd: bench.path('a/deep/er') })
    expect(status.json()).toMatchObject({ instance: 'anna' })
  })

  it('takes over at once after a kill, and tells a second process who holds the state', async () => {
    await bench.write('a/one.txt', 'one')
    const first = await bench.serve('a', '--create', '--remote', remote(), '--instance', 'anna')
    expect(await first.sync()).toMatchObject({ outcome: 'in-sync', version: 1 })
    const other = await bench.run(['serve', '--workspace', 'a', '--port', '0'])
    expect(other.code).toBe(1)
    expect(other.stderr).toContain(`pid ${first.process.pid}`)
    expect(other.stderr).toContain(first.url)
    first.process.signal('SIGKILL')
    await first.process.ended
    expect(bench.has('a/.davit/instance.json')).toBe(true)
    const second = await bench.serve('a')
    expect(await second.sync()).toMatchObject({ outcome: 'in-sync' })
  })

  it('takes a new id when its state folder was copied, and says so', async () => {
    await bench.write('a/one.txt', 'one')
    await bench.run(['sync', '--create', '--workspace', 'a', '--remote', remote(), '--instance', 'anna'])
    const before = (await bench.run(['status', '--json', '--workspace', 'a'])).json<Status>()
    await cp(bench.path('a'), bench.path('copy'), { recursive: true })
    const copy = await bench.run(['status', '--json', '--workspace', 'copy'])
    expect(copy.json<Status>().instanceId).not.toBe(before.instanceId)
    expect(copy.stderr).toMatch(/copied or moved.*new id/)
    const again = await bench.run(['status', '--json', '--workspace', 'copy'])
    expect(again.json<Status>().instanceId).toBe(copy.json<Status>().instanceId)
    expect((await bench.run(['status', '--json', '--workspace', 'a'])).json<Status>().instanceId).toEqual(
      before.instanceId,
    )
  })

  it('is talked to by the other commands while it runs', async () => {
    await bench.write('a/one.txt', 'one')
    const served = await bench.serve('a', '--create', '--remote', remote(), '--instance', 'anna')
    await bench.write('a/two.txt', 'two')
    const sync = await bench.run(['sync', '--json', '--workspace', 'a'])
    expect(sync.json()).toMatchObject({ outcome: 'in-sync' })
    const runs = await served.call<{ items: { runId: string }[] }>('GET', '/sync/runs')
    expect(runs.body.items.map(({ runId }) => runId)).toContain(sync.json<RunSummary>().runId)
    const label = await bench.run(['label', 'two.txt', '--add', 'draft', '--json', '--workspace', 'a'])
    expect(label.json()).toMatchObject({ items: [{ path: 'two.txt', metadata: { labels: ['draft'] } }] })
    for (const command of [['status'], ['runs'], ['conflicts'], ['verify', '--deep']]) {
      const found = await bench.run([...command, '--json', '--workspace', 'a'])
      expect(found.code, found.stderr).toBe(0)
      expect(found.json()).toBeTypeOf('object')
    }
  })
})

interface Status {
  readonly instance: string
  readonly instanceId: string
}

describe('init', () => {
  it('writes a configuration that all later commands find from anywhere inside', async () => {
    await bench.write('a/deep/er/one.txt', 'one')
    const made = await bench.run([
      ...['init', '--json', '--workspace', 'a', '--instance', 'anna'],
      ...['--remote', `${server.url}/not/yet/there`],
    ])
    expect(made.code, made.stderr).toBe(0)
    expect(made.json()).toMatchObject({ configuration: bench.path('a/.davit/davit.yml') })
    const cwd = bench.path('a/deep/er')
    expect((await bench.run(['sync', '--json'], { cwd })).json()).toMatchObject({ uploaded: 1 })
    const label = await bench.run(['label', 'one.txt', '--add', 'x', '--json'], { cwd })
    expect(label.json()).toMatchObject({ items: [{ path: 'deep/er/one.txt' }] })
  })

  it('keeps a password out of the configuration, in a file that only the owner reads', async () => {
    await mkdir(bench.path('locked'))
    const locked = await startWebdavServer({
      root: bench.path('locked'),
      port: 0,
      username: 'anna',
      password: 'pä ss:geheim',
    })
    try {
      await bench.write('a/one.txt', 'one')
      const url = new URL(`${locked.url}/team`)
      url.username = 'anna'
      url.password = 'pä ss:geheim'
      const made = await bench.run(['init', '--workspace', 'a', '--remote', url.href])
      expect(made.code, made.stderr).toBe(0)
      const text = await bench.read('a/.davit/davit.yml')
      expect(text).not.toContain('geheim')
      expect((await stat(bench.path('a/.davit/password'))).mode & 0o777).toBe(0o600)
      const sync = await bench.run(['sync', '--json'], { cwd: bench.path('a') })
      expect(sync.json(), sync.stderr).toMatchObject({ outcome: 'in-sync', uploaded: 1 })
    } finally {
      await locked.close()
    }
  })
})
