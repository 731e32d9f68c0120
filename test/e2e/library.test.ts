/** The built package as an embedding program uses it: opened, mounted, closed, and the process ends by itself. */
import { mkdir, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startWebdavServer } from '../../src/webdav-server/webdav-server.ts'
import { Bench, executable, startNode, until } from '../support/process.ts'

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

const library = pathToFileURL(executable.replace(/cli\/main\.js$/, 'index.js')).href
/** The package of the routes, as the project resolves it. */
const hono = import.meta.resolve('hono')

async function runProgram(text: string) {
  const file = bench.path('program.mjs')
  await writeFile(file, text)
  return bench.keep(startNode([file, `${server.url}/team`], { cwd: bench.folder })).ended
}

it('two instances in one process replicate, answer through mounted routes, and leave nothing open', async () => {
  await bench.write('a/one.txt', 'one')
  await mkdir(bench.path('b'))
  const end = await runProgram(`
    import { openInstance, loadConfiguration } from '${library}'
    import { Hono } from '${hono}'
    const url = process.argv[2]
    const a = await openInstance({ instance: 'anna', workspace: 'a', remote: { url } }, { create: true })
    const configuration = loadConfiguration({ options: { workspace: 'b', remote: url, instance: 'ben' }, environment: {}, cwd: process.cwd() })
    const b = await openInstance(configuration, { create: true })
    const added = []
    b.on('file.added', (event) => added.push(event.data))
    const first = await a.sync().finished
    const second = await b.sync().finished
    const app = new Hono()
    app.route('/davit', b.routes)
    const headers = { authorization: 'Bearer ' + b.token }
    const refused = await app.request('http://host.example/davit/sync/status')
    const status = await (await app.request('http://host.example/davit/sync/status', { headers })).json()
    const files = await (await app.request('http://host.example/davit/api/v1/files', { headers })).json()
    await a.close()
    await b.close()
    await b.close()
    console.log(JSON.stringify({ first: first.outcome, second: second.outcome, refused: refused.status,
      files: files.items.map((file) => file.path), name: status.instance, added }))
  `)
  expect(end.code, end.stderr).toBe(0)
  expect(end.json()).toEqual({
    first: 'in-sync',
    second: 'in-sync',
    refused: 401,
    files: ['one.txt'],
    name: 'ben',
    added: [{ fileId: expect.any(String), path: 'one.txt', origin: 'anna' }],
  })
  await until(() => bench.has('b/one.txt'))
})

it('an object that is no configuration is refused with its place and what is expected', async () => {
  const end = await runProgram(`
    import { openInstance } from '${library}'
    const tries = [{ workspace: 'a', remote: { url: 'http://x/y', user: 'u' } }, { workspace: 'a', sync: { poll: 5 } }, {}]
    const told = []
    for (const each of tries) told.push(await openInstance(each).catch(({ code, message }) => [code, message]))
    console.log(JSON.stringify(told))
  `)
  const invalid = (message: RegExp) => ['configuration-invalid', expect.stringMatching(message)]
  expect(end.json(), end.stderr).toEqual([
    invalid(/^the configuration: remote\.user: unknown key, expected one of url, /),
    invalid(/^the configuration: sync\.poll: .*expected string/),
    invalid(/^workspace: found nothing/),
  ])
})
