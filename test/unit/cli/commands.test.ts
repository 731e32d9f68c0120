import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { connect } from '../../../src/cli/client.ts'
import { findRunning, type RunningInstance } from '../../../src/cli/running-instance.ts'
import { DavitError, type ErrorCode } from '../../../src/model/errors.ts'
import { aProcess, token } from '../../support/fake-engine.ts'
import { aConflict, aFile, aRun } from '../../support/fake-instance.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-cli-'))
  mkdirSync(join(folder, '.davit'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function fails(code: ErrorCode, hint?: string): DavitError {
  return new DavitError(code, `it is ${code}`, { action: 'ask', ...(hint === undefined ? {} : { hint }) })
}

describe('the exit code', () => {
  it.each([
    ['in-sync', 0],
    ['conflicts', 3],
    ['halted', 4],
    ['unreachable', 5],
    ['failed', 1],
  ] as const)('of a run that ends %s is %i', async (outcome, code) => {
    for (const argv of [['sync'], ['sync', '--json'], ['recover', 'adopt']]) {
      const process = aProcess(folder)
      process.engine.instance.summary = aRun({ outcome })
      expect(await process.run(...argv)).toBe(code)
      expect(process.engine.instance.closed).toBe(1)
      expect(process.listeners.size).toBe(0)
    }
  })

  it.each([
    ['state-missing', 2],
    ['configuration-invalid', 2],
    ['state-locked', 1],
    ['remote-unreachable', 5],
    ['remote-foreign', 4],
    ['internal', 1],
  ] as const)('of an instance that does not open, being %s, is %i', async (code, exitCode) => {
    const process = aProcess(folder)
    process.engine.openFailure = fails(code, 'Do this.')
    expect(await process.run('sync')).toBe(exitCode)
    expect(process.stderr()).toBe(`davit: it is ${code}\nDo this.\n`)
    expect(process.stdout()).toBe('')
  })

  it.each([
    ['nonsense'],
    ['sync', '--bogus'],
    ['conflicts', 'resolve', 'abc'],
    ['conflicts', 'resolve', 'abc', '--take', 'file'],
    ['conflicts', 'resolve', 'abc', '--take', 'local', '--content', 'x'],
    ['conflicts', 'resolve', 'abc', '--take', 'merge', '--content', 'none'],
    ['label'],
    ['label', 'a.md'],
    ['label', '../a.md', '--add', 'x'],
    ['sync', '.davit/token'],
    ['recover', 'perhaps'],
    ['webdav'],
    ['webdav', '--root', '.', '--port', 'x'],
    ['runs', '--limit', '1001'],
    [],
  ])('of a wrong call is 2: %s %s %s %s', async (...argv) => {
    const process = aProcess(folder)
    expect(await process.run(...argv.filter((each) => each !== undefined))).toBe(2)
    expect(process.stderr()).not.toBe('')
    expect(process.engine.instance.calls).toEqual([])
  })

  it('of help and version is 0, without loading anything', async () => {
    for (const argv of [['--help'], ['sync', '--help'], ['conflicts', '--help'], ['--version']]) {
      const process = aProcess(folder)
      expect(await process.run(...argv)).toBe(0)
      expect(process.stdout()).not.toBe('')
      expect([process.stderr(), process.engine.inputs]).toEqual(['', []])
    }
  })
})

describe('with --json', () => {
  it.each([
    [['sync'], { runId: 'run-1', outcome: 'in-sync' }],
    [['status'], { state: 'idle', localVersion: 7 }],
    [['runs'], { items: [{ runId: 'run-1' }], nextCursor: null }],
    [['conflicts'], { items: [{ path: 'notes/plan.md' }], nextCursor: null }],
    [['conflicts', 'list'], { items: [{ path: 'notes/plan.md' }] }],
    [['conflicts', 'show', 'ccc'], { id: aConflict().id }],
    [['conflicts', 'resolve', 'ccc', '--take', 'both'], { committed: true }],
    [['label', 'notes/plan.md', '--add', 'x'], { items: [{ path: 'notes/plan.md' }] }],
    [['verify'], { discrepancies: [], repaired: 0 }],
    [['recover', 'republish'], { runId: 'run-1' }],
  ])('%j prints exactly one document', async (argv, document) => {
    const process = aProcess(folder)
    await process.run(...argv, '--json')
    expect(JSON.parse(process.stdout())).toMatchObject(document)
  })

  it('an error is a document too', async () => {
    const process = aProcess(folder)
    process.engine.configurationFailure = fails('configuration-invalid', 'Do this.')
    expect(await process.run('status', '--json')).toBe(2)
    expect(JSON.parse(process.stdout())).toMatchObject({ code: 'configuration-invalid', exitCode: 2 })
    const usage = aProcess(folder)
    expect(await usage.run('sync', '--bogus', '--json')).toBe(2)
    expect(JSON.parse(usage.stdout())).toMatchObject({ code: 'usage', exitCode: 2 })
  })
})

describe('options', () => {
  it('are handed on as they were given, with the environment and the place', async () => {
    const process = aProcess(folder, { environment: { DAVIT_POLL: '1s' } })
    const given = [
      '--config',
      'c.yml',
      '--remote',
      'http://x/',
      '--username',
      'u',
      '--password',
      'p',
      '--state',
      's',
    ]
    const more = [
      '--instance',
      'i',
      '--port',
      '0',
      '--host',
      'h',
      '--token',
      't',
      '--mode',
      'manual',
      '--poll',
      '5s',
    ]
    await process.run('status', ...given, ...more, '--conflicts', 'both', '--log-level', 'debug', '--json')
    expect(process.engine.inputs).toEqual([
      {
        options: {
          config: 'c.yml',
          remote: 'http://x/',
          username: 'u',
          password: 'p',
          state: 's',
          instance: 'i',
          port: '0',
          host: 'h',
          token: 't',
          mode: 'manual',
          poll: '5s',
          conflicts: 'both',
          logLevel: 'debug',
        },
        environment: { DAVIT_POLL: '1s' },
        cwd: folder,
      },
    ])
  })

  it('of sync reach the run', async () => {
    const process = aProcess(folder)
    await process.run('sync', '--create', '--full', '--force', '--dry-run', 'a/', './b/c.md')
    expect(process.engine.opened[0]?.[1]).toEqual({ create: true, background: false })
    expect(process.engine.instance.calls).toEqual([
      ['sync', { full: true, force: true, dryRun: true, paths: ['a', 'b/c.md'], trigger: 'command' }],
    ])
  })

  it('name paths from where the command runs, inside the workspace or not', async () => {
    mkdirSync(join(folder, 'notes'))
    const inside = aProcess(folder, { cwd: join(folder, 'notes') })
    await inside.run('sync', 'a.md', '../b.md', join(folder, 'c.md'))
    const outside = aProcess(folder, { cwd: tmpdir() })
    await outside.run('sync', 'a.md')
    const whole = aProcess(folder, { cwd: join(folder, 'notes') })
    await whole.run('sync', 'a.md', '..')
    const requests = [inside, outside, whole].map((each) => each.engine.instance.calls[0]?.[1])
    expect(requests).toEqual([
      { paths: ['notes/a.md', 'b.md', 'c.md'], trigger: 'command' },
      { paths: ['a.md'], trigger: 'command' },
      { trigger: 'command' },
    ])
  })
})

describe('sync', () => {
  it('says what moved, what is wrong and what to do', async () => {
    const process = aProcess(folder)
    process.engine.instance.summary = aRun({
      outcome: 'halted',
      uploaded: 2,
      moved: 1,
      conflicts: 1,
      problems: [{ path: 'evil\u001b[2J.md', code: 'file-busy', detail: 'it is being written' }],
      error: { code: 'deletion-guard', message: 'too many deletions', hint: 'Look, then use --force.' },
    })
    await process.run('sync')
    expect(process.stdout()).toContain('halted for safety at version 7: 2 uploaded, 1 moved')
    expect(process.stderr()).toBe(
      'evil\\u{1b}[2J.md: it is being written\n1 conflict to look at: davit conflicts\n' +
        'davit: too many deletions\nLook, then use --force.\n',
    )
    expect(process.stdout()).not.toContain('\u001b')
  })

  it('closes in good order at the first signal and at once at the second', async () => {
    const process = aProcess(folder)
    const { instance } = process.engine
    let finish: () => void = () => {}
    instance.sync = () => ({
      runId: 'run-1',
      status: 'started',
      coalesced: false,
      finished: new Promise((resolve) => {
        finish = () => resolve(aRun())
        process.signal()
        process.signal()
      }),
    })
    const running = process.run('sync')
    await new Promise((resolve) => setImmediate(resolve))
    expect(instance.closed).toBe(1)
    expect(process.exits).toEqual([130, 130])
    finish()
    await running
  })
})

describe('on a terminal', () => {
  it('sync ends its progress bar before it says how it went', async () => {
    const process = aProcess(folder, { isTerminal: true, environment: { NO_COLOR: '1' } })
    const { instance } = process.engine
    expect(await process.run('sync')).toBe(0)
    expect(process.stdout()).toMatch(/^in sync at version 7: nothing to do\n/)
    expect(instance.listeners.size).toBe(0)
  })
})

describe('conflicts', () => {
  it('are a table with ids to give back', async () => {
    const process = aProcess(folder)
    await process.run('conflicts')
    expect(process.stdout()).toMatch(
      /id +path +conflict\ncccccccccccc +notes\/plan.md +edit of content: remote, laptop\n/,
    )
  })

  it('are found by a beginning of their id, if it is unique', async () => {
    const process = aProcess(folder)
    const { instance } = process.engine
    instance.conflictList = [
      aConflict({ id: `ca${'0'.repeat(30)}` }),
      aConflict({ id: `cb${'0'.repeat(30)}` }),
    ]
    expect(await process.run('conflicts', 'show', 'ca')).toBe(0)
    expect(await process.run('conflicts', 'show', 'c')).toBe(2)
    expect(await process.run('conflicts', 'show', 'x')).toBe(1)
    expect(process.stderr()).toContain("there is no open conflict 'x'")
  })

  it('show the bytes of a side as they are', async () => {
    const process = aProcess(folder)
    await process.run('conflicts', 'show', 'ccc', '--side', 'laptop')
    expect(process.stdout()).toBe('laptop')
  })

  it('are resolved with what was looked at', async () => {
    writeFileSync(join(folder, 'merged.md'), 'merged')
    const process = aProcess(folder)
    const resolve = ['conflicts', 'resolve', aConflict().id, '--take']
    expect(await process.run(...resolve, 'keep_both')).toBe(0)
    expect(await process.run(...resolve, 'local', '--candidate', 'laptop')).toBe(0)
    expect(await process.run(...resolve, 'merge', '--content', join(folder, 'merged.md'))).toBe(0)
    process.engine.instance.isCommitted = false
    expect(await process.run(...resolve, 'remote')).toBe(5)
    const common = { id: aConflict().id, expected: 'cr1' }
    expect(process.engine.instance.calls.map(([, request]) => request)).toEqual([
      { ...common, strategy: 'both' },
      { ...common, strategy: 'local', candidate: 'laptop' },
      { ...common, strategy: 'merge', content: Buffer.from('merged') },
      { ...common, strategy: 'remote' },
    ])
  })
})

describe('label', () => {
  it('adds and removes, and reads again when the file changed meanwhile', async () => {
    const process = aProcess(folder)
    const { instance } = process.engine
    instance.fileList = [aFile({ metadata: { labels: ['old', 'keep'] }, revision: 'r2' })]
    const { at } = instance.files
    let looks = 0
    instance.files.at = (path) => {
      looks += 1
      return looks === 1 ? { ...at(path), revision: 'r1' } : at(path)
    }
    expect(await process.run('label', 'notes/plan.md', '--add', 'new', '--add', 'a', '--remove', 'old')).toBe(
      0,
    )
    expect(instance.calls).toEqual([
      ['patchMetadata', { id: aFile().id, patch: { labels: ['a', 'keep', 'new'] }, ifMatch: 'r2' }],
    ])
    expect(await process.run('label', 'none.md', '--add', 'x')).toBe(1)
  })
})

describe('verify', () => {
  it.each([
    [{ discrepancies: [] }, 0],
    [{ discrepancies: [{ path: 'a', code: 'c', detail: 'd' }] }, 1],
    [{ discrepancies: [{ path: 'a', code: 'c', detail: 'd' }], repaired: 1 }, 0],
    [{ unreachable: true }, 5],
    [{ unreachable: true, discrepancies: [{ path: 'a', code: 'c', detail: 'd' }] }, 1],
  ])('of %j ends with %i', async (report, code) => {
    const process = aProcess(folder)
    process.engine.instance.report = { ...process.engine.instance.report, ...report }
    expect(await process.run('verify', '--deep', '--repair')).toBe(code)
    expect(process.engine.instance.calls).toEqual([['verify', { deep: true, repair: true }]])
  })
})

describe('init', () => {
  it('joins, then writes a configuration with the password in a file of its own', async () => {
    const process = aProcess(folder)
    const code = await process.run(
      'init',
      '--remote',
      'https://x/team',
      '--username',
      'u',
      '--password',
      'geheim',
      '--port',
      '0',
    )
    expect([code, process.stderr()]).toEqual([0, ''])
    expect(process.engine.opened[0]?.[1]).toEqual({ create: true, background: false })
    expect(process.engine.instance.calls).toEqual([
      ['sync', { dryRun: true, setUp: true, trigger: 'command' }],
    ])
    const file = join(folder, '.davit', 'davit.yml')
    expect(parse(readFileSync(file, 'utf8'))).toEqual({
      instance: 'archive-1',
      workspace: '..',
      remote: { url: 'https://x/team', username: 'u', passwordFile: 'password' },
      http: { port: 0 },
    })
    const password = join(folder, '.davit', 'password')
    expect(readFileSync(password, 'utf8')).toBe('geheim\n')
    expect([statSync(file).mode & 0o777, statSync(password).mode & 0o777]).toEqual([0o600, 0o600])
    expect(await process.run('init', '--remote', 'https://x/team')).toBe(2)
  })

  it('keeps the password out of the workspace when the configuration lies in it', async () => {
    const process = aProcess(folder)
    await process.run('init', '--config', 'davit.yml', '--remote', 'https://x/team', '--password', 'geheim')
    expect(parse(readFileSync(join(folder, 'davit.yml'), 'utf8'))).toMatchObject({
      workspace: '.',
      remote: { passwordFile: '.davit/password' },
    })
  })

  it('writes nothing when the remote cannot be reached', async () => {
    const process = aProcess(folder)
    process.engine.instance.summary = aRun({ outcome: 'unreachable' })
    expect(await process.run('init', '--remote', 'https://x/team')).toBe(5)
    expect(existsSync(join(folder, '.davit', 'davit.yml'))).toBe(false)
  })
})

describe('serve', () => {
  it('prints the ready line, answers, announces itself, and closes at a signal', async () => {
    const process = aProcess(folder)
    const running = process.run('serve', '--create')
    await process.somethingPrinted()
    const url = /^davit ready (http:\/\/127\.0\.0\.1:\d+) version=7\n$/.exec(process.stdout())?.[1] as string
    expect(process.engine.opened[0]?.[1]).toEqual({ create: true, background: true })
    const headers = { authorization: `Bearer ${token}` }
    expect((await fetch(`${url}/api/sync/status`, { headers })).status).toBe(200)
    const announced = JSON.parse(readFileSync(join(folder, '.davit', 'instance.json'), 'utf8'))
    expect(announced).toMatchObject({ url, pid: globalThis.process.pid })
    process.signal()
    expect(await running).toBe(0)
    expect(process.engine.instance.closed).toBe(1)
    expect(existsSync(join(folder, '.davit', 'instance.json'))).toBe(false)
    expect([process.exits, process.listeners.size]).toEqual([[], 0])
  })

  it('prints an object with --json and ends at once at the second signal', async () => {
    const process = aProcess(folder)
    const running = process.run('serve', '--json')
    await process.somethingPrinted()
    expect(JSON.parse(process.stdout())).toEqual({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      version: 7,
      instance: 'archive-1',
    })
    process.signal()
    process.signal()
    expect(process.exits).toEqual([130])
    await running
  })

  it('leaves nothing open when its address cannot be had', async () => {
    const process = aProcess(folder)
    expect(await process.run('serve', '--host', '192.0.2.1')).toBe(2)
    expect(process.stderr()).toContain('other machines would reach the API')
    expect(process.engine.opened).toEqual([])
    const exposed = aProcess(folder)
    expect(await exposed.run('serve', '--host', '192.0.2.1', '--expose')).toBe(2)
    expect(exposed.engine.instance.closed).toBe(1)
  })
})

describe('a running instance', () => {
  /** Runs commands against a served instance; nothing may be opened beside it. */
  async function beside(use: (other: ReturnType<typeof aProcess>) => Promise<void>) {
    writeFileSync(join(folder, '.davit', 'token'), `${token}\n`)
    const server = aProcess(folder)
    const running = server.run('serve')
    await server.somethingPrinted()
    const other = aProcess(folder)
    other.engine.openFailure = fails('state-locked')
    const { instance } = server.engine
    other.engine.instance = instance
    try {
      await use(other)
      expect(other.engine.opened).toEqual([])
      expect(instance.closed).toBe(0)
    } finally {
      server.signal()
      await running
    }
  }

  it('is asked over HTTP by every command', async () => {
    await beside(async (other) => {
      const { instance } = other.engine
      instance.summary = aRun({ outcome: 'conflicts' })
      expect(await other.run('sync', '--full', 'notes')).toBe(3)
      expect(await other.run('status')).toBe(0)
      expect(await other.run('runs', '--limit', '1')).toBe(0)
      expect(await other.run('conflicts')).toBe(0)
      expect(await other.run('conflicts', 'show', 'ccc')).toBe(0)
      expect(await other.run('conflicts', 'show', 'ccc', '--side', 'base')).toBe(0)
      writeFileSync(join(folder, 'merged'), Buffer.from([0, 255]))
      const merged = ['--take', 'merge', '--content', join(folder, 'merged')]
      expect(await other.run('conflicts', 'resolve', 'ccc', ...merged)).toBe(0)
      instance.isCommitted = false
      expect(await other.run('conflicts', 'resolve', 'ccc', '--take', 'local')).toBe(5)
      expect(await other.run('label', 'notes/plan.md', '--add', 'x')).toBe(0)
      expect(await other.run('label', 'none', '--add', 'x')).toBe(1)
      expect(await other.run('verify', '--deep')).toBe(0)
      expect(await other.run('recover', 'adopt')).toBe(3)
      expect(instance.calls.filter(([verb]) => verb !== 'files.list')).toEqual([
        ['sync', { full: true, paths: ['notes'], trigger: 'request' }],
        [
          'resolve',
          { id: aConflict().id, strategy: 'merge', content: Buffer.from([0, 255]), expected: 'cr1' },
        ],
        ['resolve', { id: aConflict().id, strategy: 'local', expected: 'cr1' }],
        ['patchMetadata', { id: aFile().id, patch: { labels: ['x'] }, ifMatch: 'r1' }],
        ['verify', { deep: true }],
        ['recover', 'adopt'],
      ])
    })
  })

  it('tells the progress of its runs', async () => {
    await beside(async (other) => {
      const running = findRunning(join(folder, '.davit'))
      const session = connect(running as RunningInstance)
      let stop = () => {}
      const told = new Promise((resolve) => {
        stop = session.onProgress(resolve)
      })
      const { instance } = other.engine
      while (instance.listeners.size === 0) await new Promise((resolve) => setImmediate(resolve))
      instance.emit({ type: 'sync.progress', data: { phase: 'push', done: 3, total: 4, bytes: 1 } })
      expect(await told).toEqual({ phase: 'push', done: 3, total: 4 })
      stop()
      while (instance.listeners.size > 0) await new Promise((resolve) => setImmediate(resolve))
    })
  })

  it('passes its errors on with their codes', async () => {
    await beside(async (other) => {
      other.engine.instance.failure = fails('remote-unreachable', 'Later.')
      expect(await other.run('sync')).toBe(5)
      expect(other.stderr()).toBe('davit: it is remote-unreachable. Later.\n')
    })
  })

  it('is not taken for one that was killed, whose pid another process has now', async () => {
    writeFileSync(join(folder, '.davit', 'token'), `${token}\n`)
    for (const text of [
      JSON.stringify({ pid: process.pid, start: '12', url: 'http://127.0.0.1:1' }),
      JSON.stringify({ pid: 2 ** 22 + 1, start: 'unknown', url: 'http://127.0.0.1:1' }),
      JSON.stringify({ pid: process.pid, start: '12', url: 'https://evil.example' }),
      '{"pid":',
      '',
    ]) {
      writeFileSync(join(folder, '.davit', 'instance.json'), text)
      const alone = aProcess(folder)
      expect(await alone.run('status')).toBe(0)
      expect(alone.engine.opened).toHaveLength(1)
    }
  })
})

describe('webdav', () => {
  it('serves a folder until a signal', async () => {
    const process = aProcess(folder)
    const running = process.run(
      'webdav',
      '--root',
      'served',
      '--port',
      '8080',
      '--username',
      'u',
      '--password',
      'p',
    )
    await process.somethingPrinted()
    expect(process.stdout()).toBe('davit webdav ready http://127.0.0.1:7400\n')
    process.signal()
    expect(await running).toBe(0)
    expect(process.engine.webdavServers).toEqual([
      { root: join(folder, 'served'), port: 8080, username: 'u', password: 'p' },
    ])
    expect(process.engine.webdavClosed).toBe(1)
  })
})

describe('demo', () => {
  it('lays out two workspaces once, serves both, and closes everything', async () => {
    for (const start of ['first', 'second']) {
      const process = aProcess(folder)
      const state = (name: string) => join(folder, 'demo', name, '.davit')
      for (const name of ['anna', 'ben']) {
        if (start === 'second') mkdirSync(state(name), { recursive: true })
      }
      const open = process.engine.openInstance.bind(process.engine)
      process.engine.openInstance = async (configuration, options) => {
        mkdirSync(configuration.state, { recursive: true })
        return open(configuration, options)
      }
      const running = process.run('demo')
      await process.somethingPrinted()
      while (!process.stdout().includes('Ctrl-C')) await new Promise((resolve) => setImmediate(resolve))
      expect(process.stdout()).toMatch(/davit ready http:\/\/127\.0\.0\.1:\d+ version=7 {2}anna: /)
      expect(process.stdout()).not.toContain(token)
      const plan = join(folder, 'demo', 'anna', 'notes', 'plan.md')
      expect(existsSync(plan)).toBe(start === 'first')
      rmSync(plan, { force: true })
      process.signal()
      expect(await running).toBe(0)
      expect([process.engine.instance.closed, process.engine.webdavClosed]).toEqual([2, 1])
      expect(process.engine.opened.map(([configuration]) => configuration.instance)).toEqual(['anna', 'ben'])
    }
  })
})
