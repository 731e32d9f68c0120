/** Whatever is wrong outside is named, with the right exit code, and nothing changes on either side. */
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunSummary } from '../../src/model/run.ts'
import { startWebdavServer } from '../../src/webdav-server/webdav-server.ts'
import { Bench, type Finished, filesOf } from '../support/process.ts'
import { type Fault, htmlPage, startProxy, type TestProxy } from '../support/proxy.ts'

let bench: Bench
let server: { readonly url: string; close(): Promise<void> }
let proxy: TestProxy

/** Two workspaces in sync through a store; `a` has an edit that waits. */
beforeAll(async () => {
  bench = await Bench.make()
  await mkdir(bench.path('dav'))
  server = await startWebdavServer({ root: bench.path('dav'), port: 0 })
  proxy = await startProxy(server.url)
  for (let i = 0; i < 12; i++) await bench.write(`a/notes/${i}.md`, `note ${i}\n`)
  const create = ['sync', '--create', '--remote', `${proxy.url}/team`]
  await bench.run([...create, '--workspace', 'a', '--instance', 'anna'])
  await bench.write('b/own.md', 'only here')
  await bench.run([...create, '--workspace', 'b', '--instance', 'ben'])
  await bench.write('a/notes/0.md', 'an edit that waits\n')
  // No long patience in these tests: one attempt tells.
  for (const name of ['a', 'b']) {
    const file = bench.path(name, '.davit/davit.yml')
    await writeFile(
      file,
      `${await readFile(file, 'utf8')}sync: {retry: {attempts: 1, base: 1ms, max: 1ms}}\n`,
    )
  }
})
afterAll(async () => {
  await bench.clear()
  await proxy.stop()
  await server.close()
})

async function sides(): Promise<unknown> {
  return [await filesOf(bench.path('a')), await filesOf(bench.path('b')), await filesOf(bench.path('dav'))]
}

/** Runs one command and holds it to having changed nothing. */
async function changesNothing(argv: readonly string[]): Promise<Finished> {
  const before = await sides()
  const end = await bench.run(argv)
  expect(await sides()).toEqual(before)
  return end
}

describe('a remote that does not answer as it should', () => {
  const answers: readonly (readonly [string, Fault, number, RegExp])[] = [
    ['404 on everything', { kind: 'answer', status: 404 }, 5, /./],
    ['HTML instead of XML', htmlPage, 5, /./],
    ['an error of its own', { kind: 'answer', status: 500 }, 5, /500/],
    ['no permission', { kind: 'answer', status: 403 }, 2, /403|refuse|may not|allow/],
    ['a full disk', { kind: 'answer', status: 507 }, 5, /./],
    [
      'an empty listing',
      {
        kind: 'answer',
        status: 207,
        headers: { 'content-type': 'application/xml' },
        body: '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"></d:multistatus>',
      },
      5,
      /./,
    ],
    ['cut replies', { kind: 'drop-reply' }, 5, /./],
  ]
  it.each(answers)('%s', async (_, fault, code, message) => {
    const heal = proxy.spoil({ fault })
    try {
      const end = await changesNothing(['sync', '--json', '--workspace', 'a'])
      const run = end.json<RunSummary>()
      expect([end.code, run.error?.message], JSON.stringify(run.error)).toEqual([
        code,
        expect.stringMatching(message),
      ])
      expect(run.error?.hint ?? '').not.toBe('')
    } finally {
      heal()
    }
  })

  it('nobody there', async () => {
    const end = await changesNothing([
      ...['sync', '--json', '--workspace', 'a', '--remote', 'http://127.0.0.1:9/team'],
    ])
    expect([end.code, end.json()]).toMatchObject([5, { error: { code: 'remote-unreachable' } }])
    expect(end.json<RunSummary>().error?.message).toContain('127.0.0.1:9')
  })

  it('a wrong password', async () => {
    await mkdir(bench.path('locked'))
    const locked = await startWebdavServer({
      ...{ root: bench.path('locked'), port: 0, username: 'anna', password: 'right' },
    })
    try {
      const common = ['--json', '--workspace', 'c', '--remote', `${locked.url}/team`, '--username', 'anna']
      await bench.write('c/one.md', 'one')
      const wrong = await bench.run(['sync', '--create', ...common, '--password', 'wrong'])
      expect([wrong.code, wrong.json()]).toMatchObject([2, { error: { code: 'remote-unauthorized' } }])
      expect(await readdir(bench.path('locked'))).toEqual([])
      const right = await bench.run(['sync', '--create', ...common, '--password', 'right'])
      expect(right.code, right.stdout).toBe(0)
    } finally {
      await locked.close()
    }
  })
})

describe('a store that is not what it was', () => {
  /** Changes the store, looks what `b` says, and puts the store back. */
  async function withStore(change: () => Promise<void>, look: (end: Finished) => void): Promise<void> {
    await rm(bench.path('kept'), { recursive: true, force: true })
    await cp(bench.path('dav'), bench.path('kept'), { recursive: true })
    try {
      await change()
      look(await changesNothing(['sync', '--json', '--workspace', 'b']))
    } finally {
      await rm(bench.path('dav/team'), { recursive: true, force: true })
      await cp(bench.path('kept/team'), bench.path('dav/team'), { recursive: true })
    }
    const after = await bench.run(['sync', '--json', '--workspace', 'b'])
    expect([after.code, after.json<RunSummary>().error], after.stderr).toEqual([0, undefined])
  }

  async function newestChangeset(): Promise<string> {
    const folder = 'dav/team/changes/000000000'
    const names = await readdir(bench.path(folder))
    return bench.path(folder, names.sort().at(-1) ?? '')
  }

  /** `a` commits something that `b` has not read. */
  async function commitFromA(text: string): Promise<void> {
    await bench.write('a/notes/1.md', text)
    expect((await bench.run(['sync', '--workspace', 'a'])).code).toBe(0)
  }

  it('emptied', async () => {
    await withStore(
      async () => {
        await rm(bench.path('dav/team'), { recursive: true })
        await mkdir(bench.path('dav/team'))
      },
      (end) => {
        expect([end.code, end.json()]).toMatchObject([4, { outcome: 'halted' }])
        expect(end.json<RunSummary>().error?.hint).toMatch(/davit recover/)
      },
    )
  })

  it('another one at the same place', async () => {
    await bench.write('other/x.md', 'x')
    await bench.run(['sync', '--create', '--workspace', 'other', '--remote', `${proxy.url}/other`])
    await withStore(
      async () => {
        await rm(bench.path('dav/team'), { recursive: true })
        await cp(bench.path('dav/other'), bench.path('dav/team'), { recursive: true })
      },
      (end) => {
        expect([end.code, end.json()]).toMatchObject([4, { error: { code: 'remote-foreign' } }])
        expect(end.json<RunSummary>().error?.hint).toMatch(/davit recover/)
      },
    )
  })

  it('a torn changeset', async () => {
    await commitFromA('torn\n')
    await withStore(
      async () => {
        const file = await newestChangeset()
        await writeFile(file, (await readFile(file)).subarray(0, 100))
      },
      (end) => expect([end.code, end.json()]).toMatchObject([4, { error: { code: 'remote-damaged' } }]),
    )
  })

  it('a changeset that somebody wrote paths into', async () => {
    await commitFromA('tampered\n')
    await withStore(
      async () => {
        const file = await newestChangeset()
        const text = gunzipSync(await readFile(file)).toString('utf8')
        await writeFile(file, gzipSync(text.replaceAll('notes/1.md', '../../x.md')))
      },
      (end) => expect([end.code, end.json()]).toMatchObject([4, { error: { code: 'remote-damaged' } }]),
    )
  })

  it('a blob that is not what it says', async () => {
    await commitFromA('a content of its own\n')
    await withStore(
      async () => {
        for (const [name, text] of Object.entries(await filesOf(bench.path('dav')))) {
          if (text === 'a content of its own\n') await bench.write(`dav/${name}`, 'A content of its own\n')
        }
      },
      (end) => {
        expect([end.code, end.json()]).toMatchObject([
          1,
          { error: { code: 'remote-damaged', message: expect.stringContaining("'notes/1.md'") } },
        ])
      },
    )
  })
})

describe('a configuration that does not hold', () => {
  const configurations: readonly (readonly [string, string, RegExp])[] = [
    [
      'an unknown key',
      'remote: {url: "http://x/y", colour: red}',
      /davit\.yml: remote\.colour: unknown key, expected one of url, username, /,
    ],
    ['a wrong type', 'sync: {poll: 5}', /davit\.yml: sync\.poll: .*expected .*string/],
    ['a word that is no duration', 'sync: {poll: soon}', /sync\.poll: expected a duration such as/],
    ['no YAML', 'remote: {url: [', /davit\.yml is not valid YAML/],
    ['a list', '- one', /davit\.yml: the file: .*expected object/],
    ['no remote', 'workspace: .', /remote\.url: found nothing, expected the URL/],
    ['no URL', 'remote: {url: nonsense}', /remote\.url: .*expected a URL/],
    [
      'a password file that is not there',
      'remote: {url: "http://x/y", passwordFile: none}',
      /passwordFile: .*none cannot be read: .*ENOENT/,
    ],
  ]
  it('is named with its place, what was found and what is expected', async () => {
    const ends = await Promise.all(
      configurations.map(async ([name, text], number) => {
        await bench.write(`wrong/${number}/davit.yml`, text.includes('workspace') ? text : `${text}\n`)
        return bench.run(['status', '--json', '--config', `wrong/${number}/davit.yml`, '--workspace', name])
      }),
    )
    for (const [number, end] of ends.entries()) {
      const [name, , message] = configurations[number] as (typeof configurations)[number]
      expect([name, end.code, end.stderr]).toEqual([name, 2, expect.stringMatching(message)])
      expect(end.json()).toMatchObject({ code: 'configuration-invalid', exitCode: 2 })
    }
  })

  it('is said to be unreadable where it cannot be read', async () => {
    await mkdir(bench.path('wrong/folder/davit.yml'), { recursive: true })
    const folder = await bench.run(['status', '--config', 'wrong/folder/davit.yml'])
    expect([folder.code, folder.stderr]).toEqual([2, expect.stringMatching(/davit\.yml cannot be read/)])
    const none = await bench.run(['status', '--config', 'nowhere.yml'])
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/no file at .*nowhere\.yml/)])
  })

  it('is a workspace without state, as an unmounted disk is', async () => {
    await mkdir(bench.path('bare'))
    const common = ['--workspace', 'bare', '--remote', `${proxy.url}/team`, '--port', '0']
    for (const command of [['serve'], ['sync'], ['status'], ['verify']]) {
      const end = await changesNothing([...command, '--json', ...common])
      expect([command, end.code, end.json()]).toMatchObject([command, 2, { code: 'state-missing' }])
    }
    expect(await readdir(bench.path('bare'))).toEqual([])
  })
})

describe('a workspace that is not what it was', () => {
  it('gone: halts, deletes nothing, and goes on by itself when it is back', async () => {
    await rename(bench.path('b'), bench.path('away'))
    const gone = await bench.run(['sync', '--json', '--workspace', 'b', '--remote', `${proxy.url}/team`])
    expect([gone.code, gone.json()]).toMatchObject([2, { code: 'workspace-missing' }])
    await mkdir(bench.path('b'))
    const empty = await bench.run(['sync', '--json', '--workspace', 'b', '--remote', `${proxy.url}/team`])
    expect([empty.code, empty.json()]).toMatchObject([2, { code: 'state-missing' }])
    await rm(bench.path('b'), { recursive: true })
    await rename(bench.path('away'), bench.path('b'))
    const back = await bench.run(['sync', '--json', '--workspace', 'b'])
    expect([back.code, back.json()]).toMatchObject([0, { outcome: 'in-sync' }])
    expect(bench.has('a/notes/0.md')).toBe(true)
  })
})
