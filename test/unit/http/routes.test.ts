import { describe, expect, it } from 'vitest'
import { DavitError } from '../../../src/model/errors.ts'
import { anApi } from '../../support/api.ts'
import { aConflict, aFile, aRun, hashA } from '../../support/fake-instance.ts'

const file = `/files/${aFile().id}`
const conflict = `/sync/conflicts/${aConflict().id}`

interface Answer {
  readonly code?: string
  readonly detail?: string
  readonly path?: string
  readonly metadata?: object
  readonly deletedAt?: string
}

async function json(response: Response): Promise<Answer> {
  return (await response.json()) as Answer
}

describe('runs', () => {
  it('start with 202 and their id, also without any body', async () => {
    const { call, instance } = anApi()
    const response = await call('/sync', { method: 'POST' })
    expect(response.status).toBe(202)
    expect(await json(response)).toEqual({ runId: 'run-1', status: 'started', coalesced: false })
    expect(instance.calls).toEqual([['sync', { trigger: 'request' }]])
  })

  it('say that a request joined the next run', async () => {
    const { call, instance } = anApi()
    instance.isRunning = true
    const response = await call('/sync', { method: 'POST', json: {} })
    expect(await json(response)).toEqual({ runId: 'run-1', status: 'queued', coalesced: true })
  })

  it.each(['in-sync', 'conflicts', 'halted', 'unreachable', 'failed'] as const)(
    'answer 200 with the summary when they are waited for and end %s',
    async (outcome) => {
      const { call, instance } = anApi()
      instance.summary = aRun({ outcome })
      const response = await call('/sync', { method: 'POST', json: { wait: true, full: true } })
      expect(response.status).toBe(200)
      expect(await json(response)).toEqual({ ...instance.summary })
      expect(instance.calls).toEqual([['sync', { full: true, trigger: 'request' }]])
    },
  )

  it('have named kinds', async () => {
    const { call, instance } = anApi()
    await call('/sync/full', { method: 'POST', json: { wait: true } })
    await call('/sync/incremental', { method: 'POST', json: { since: '2025-01-01T00:00:00Z' } })
    await call('/sync/trigger', { method: 'POST' })
    expect(instance.calls.map(([, request]) => request)).toEqual([
      { full: true, trigger: 'request' },
      { trigger: 'request' },
      { trigger: 'request' },
    ])
  })

  it('take only paths that are safe', async () => {
    const { call, instance } = anApi()
    expect((await call('/sync', { method: 'POST', json: { paths: ['../x'] } })).status).toBe(400)
    expect((await call('/sync', { method: 'POST', json: { paths: ['a/b'], dryRun: true } })).status).toBe(202)
    expect(instance.calls).toEqual([['sync', { paths: ['a/b'], dryRun: true, trigger: 'request' }]])
  })

  it('are listed in pages and found by id, also while they run', async () => {
    const { call, instance } = anApi()
    instance.runList = [aRun(), aRun({ runId: 'run-2' })]
    expect(await json(await call('/sync/runs?limit=1'))).toEqual({ items: [aRun()], nextCursor: '1' })
    expect(await json(await call('/sync/runs?cursor=1'))).toMatchObject({ nextCursor: null })
    expect(await json(await call('/sync/runs/run-2'))).toMatchObject({ runId: 'run-2', outcome: 'in-sync' })
    const now = await call('/sync/runs/run-now')
    expect(now.status).toBe(200)
    expect(await json(now)).toEqual({ runId: 'run-now', kind: 'incremental', status: 'running' })
    expect((await call('/sync/runs/none')).status).toBe(404)
  })

  it.each([
    'limit=0',
    'limit=-1',
    'limit=x',
    'limit=1001',
    'limit=1.5',
    'cursor=',
    'page=2',
    'limit=1&limit=2',
  ])('refuse the page %s', async (query) => {
    const { call } = anApi()
    for (const list of ['/sync/runs', '/sync/conflicts', '/files', '/problems']) {
      expect((await call(`${list}?${query}`)).status).toBe(400)
    }
  })

  it('are recovered by choice and verified on request', async () => {
    const { call, instance } = anApi()
    expect((await call('/sync/recover', { method: 'POST', json: { choice: 'republish' } })).status).toBe(200)
    expect((await call('/sync/recover', { method: 'POST', json: { choice: 'perhaps' } })).status).toBe(400)
    const report = await call('/sync/verify', { method: 'POST', json: { deep: true } })
    expect(await json(report)).toEqual({ ...instance.report })
    expect(instance.calls).toEqual([
      ['recover', 'republish'],
      ['verify', { deep: true }],
    ])
  })

  it('happen by themselves or not, as the scheduler says', async () => {
    const { call } = anApi()
    const set = await call('/sync/scheduler', { method: 'PATCH', json: { mode: 'manual' } })
    expect([set.status, await json(set)]).toEqual([200, { mode: 'manual', nextRunAt: null }])
    expect(await json(await call('/sync/scheduler'))).toMatchObject({ mode: 'manual' })
    expect((await call('/sync/scheduler', { method: 'PATCH', json: { mode: 'often' } })).status).toBe(400)
  })
})

describe('conflicts', () => {
  it('are listed, found and compared', async () => {
    const { call } = anApi()
    expect(await json(await call('/sync/conflicts'))).toEqual({ items: [aConflict()], nextCursor: null })
    expect(await json(await call(conflict))).toEqual({ ...aConflict() })
    const content = await call(`${conflict}/content/laptop%20two`)
    expect(await content.text()).toBe('laptop two')
    expect(content.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''plan.md")
    expect((await call('/sync/conflicts/none')).status).toBe(404)
  })

  it('are an empty list, not an error, when there are none', async () => {
    const { call, instance } = anApi()
    instance.conflictList = []
    const response = await call('/sync/conflicts')
    expect([response.status, await json(response)]).toEqual([200, { items: [], nextCursor: null }])
  })

  it.each([
    ['local', 'local'],
    ['remote', 'remote'],
    ['both', 'both'],
    ['merge', 'merge'],
    ['local_wins', 'local'],
    ['remote_wins', 'remote'],
    ['keep_both', 'both'],
  ])('are resolved by %s', async (given, strategy) => {
    const { call, instance } = anApi()
    const response = await call(`${conflict}/resolve`, { method: 'POST', json: { strategy: given } })
    expect([response.status, await json(response)]).toEqual([200, { ...aConflict() }])
    expect(instance.calls).toEqual([['resolve', { id: aConflict().id, strategy }]])
  })

  it.each(['file', 'database', 'keep_yaml', 'keep_db'])(
    'of files are not resolved by %s',
    async (strategy) => {
      const { call, instance } = anApi()
      const response = await call(`${conflict}/resolve`, { method: 'POST', json: { strategy } })
      expect(response.status).toBe(400)
      expect((await json(response)).detail).toContain('between a file and its record')
      expect(instance.calls).toEqual([])
    },
  )

  it('carry a merged content as text or base64, not both', async () => {
    const { call, instance } = anApi()
    const resolve = (body: object) => call(`${conflict}/resolve`, { method: 'POST', json: body })
    await resolve({ strategy: 'merge', content: 'grün', expected: 'cr1', candidate: 'laptop' })
    await resolve({ strategy: 'merge', contentBase64: Buffer.from([0, 255]).toString('base64') })
    expect(instance.calls.map(([, request]) => request)).toMatchObject([
      { content: Buffer.from('grün'), expected: 'cr1', candidate: 'laptop' },
      { content: Buffer.from([0, 255]) },
    ])
    expect((await resolve({ strategy: 'merge', content: 'a', contentBase64: 'YQ==' })).status).toBe(400)
    expect((await resolve({ strategy: 'merge', contentBase64: '%%%' })).status).toBe(400)
    expect((await resolve({ strategy: 'local', content: 'a' })).status).toBe(400)
    expect((await resolve({ strategy: 'toString' })).status).toBe(400)
    expect((await resolve({})).status).toBe(400)
  })

  it('may carry a merged content larger than other bodies', async () => {
    const { call } = anApi()
    const large = { strategy: 'merge', content: 'x'.repeat(2 * 1024 * 1024) }
    expect((await call(`${conflict}/resolve`, { method: 'POST', json: large })).status).toBe(200)
  })

  it('answer 409 to a stale revision and 202 while the store is out of reach', async () => {
    const { call, instance } = anApi()
    const stale = await call(`${conflict}/resolve`, {
      method: 'POST',
      json: { strategy: 'local', expected: 'old' },
    })
    expect([stale.status, (await json(stale)).detail]).toEqual([
      409,
      'the conflict has changed. Look at it again.',
    ])
    instance.isCommitted = false
    const kept = await call('/sync/resolve-conflict', {
      method: 'POST',
      json: { id: aConflict().id, strategy: 'local' },
    })
    expect(kept.status).toBe(202)
  })
})

describe('files', () => {
  it('are listed by filters and by exact path', async () => {
    const { call, instance } = anApi()
    await call('/files?prefix=notes/&label=x&status=pending&deleted=true&limit=5')
    expect(instance.calls).toEqual([
      ['files.list', { prefix: 'notes/', label: 'x', status: 'pending', deleted: true, limit: 5 }],
    ])
    expect(await json(await call('/files?path=notes/plan.md'))).toEqual({
      items: [aFile()],
      nextCursor: null,
    })
    expect(await json(await call('/files?path=none'))).toEqual({ items: [], nextCursor: null })
    for (const query of ['path=../x', 'path=a&limit=1', 'status=odd', 'deleted=perhaps', 'colour=red']) {
      expect((await call(`/files?${query}`)).status).toBe(400)
    }
  })

  it('are downloads with length and tag, never pages', async () => {
    const { call, instance } = anApi()
    instance.fileList = [aFile({ path: 'notes/plan.md' })]
    const response = await call(`${file}/content`)
    expect(await response.text()).toBe('hello')
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': "attachment; filename*=UTF-8''plan.md",
      'content-length': '5',
      etag: `"${hashA}"`,
      'content-security-policy': expect.stringContaining('sandbox'),
    })
    const known = await call(`${file}/content`, { headers: { 'if-none-match': `W/"${hashA}"` } })
    expect([known.status, await known.text()]).toEqual([304, ''])
    const head = await call(`${file}/content`, { method: 'HEAD' })
    expect([head.status, await head.text(), head.headers.get('content-length')]).toEqual([200, '', '5'])
  })

  it('are written by path: 201 when new, else 200, with the revision as tag', async () => {
    const { call, instance } = anApi()
    const made = await call('/files/content/notes/caf%C3%A9%20100%2525.md', { method: 'PUT', body: 'x' })
    expect([made.status, (await json(made)).path]).toEqual([201, 'notes/café 100%25.md'])
    const changed = await call('/files/content/notes/plan.md', {
      method: 'PUT',
      body: '',
      headers: { 'if-match': '"r1"', 'content-type': 'text/html' },
    })
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"r1"'])
    expect(instance.calls).toEqual([
      ['put', { path: 'notes/café 100%25.md', text: 'x' }],
      ['put', { path: 'notes/plan.md', text: '', ifMatch: 'r1' }],
    ])
  })

  it.each([
    '..%2Fx',
    'a/..%2f..%2fx',
    '%2Fetc/passwd',
    '/etc/passwd',
    'a%00b',
    '.davit/token',
    '.DAVIT/token',
    'a//b',
    'a/',
    '%FF',
  ])('are not written to %s', async (path) => {
    const { call, instance } = anApi()
    expect((await call(`/files/content/${path}`, { method: 'PUT', body: 'x' })).status).toBe(400)
    expect(instance.calls).toEqual([])
  })

  it('are not written under conditions that would be passed over', async () => {
    const { call, instance } = anApi()
    const put = (headers: Record<string, string>, path = 'notes/plan.md') =>
      call(`/files/content/${path}`, { method: 'PUT', body: 'x', headers })
    expect((await put({ 'if-none-match': '*' })).status).toBe(400)
    expect((await put({ 'content-range': 'bytes 0-0/5' })).status).toBe(400)
    expect((await put({ 'content-encoding': 'gzip' })).status).toBe(415)
    expect((await put({ 'if-match': '"old"' })).status).toBe(412)
    expect((await put({ 'if-match': '"a", "b"' })).status).toBe(400)
    expect((await put({ 'if-match': '*' }, 'none.md')).status).toBe(412)
    expect(instance.calls).toEqual([])
    expect((await put({ 'if-match': '*' })).status).toBe(200)
  })

  it('are deleted, moved and described', async () => {
    const { call, instance } = anApi()
    const ifMatch = { 'if-match': 'W/"r1"' }
    expect(
      (await call(`${file}/move`, { method: 'POST', json: { path: 'b.md' }, headers: ifMatch })).status,
    ).toBe(200)
    expect((await call(`${file}/move`, { method: 'POST', json: { path: '../b.md' } })).status).toBe(400)
    const patch = { labels: ['x'], owner: null }
    const patched = await call(`${file}/metadata`, { method: 'PATCH', json: patch, headers: ifMatch })
    expect((await json(patched)).metadata).toEqual(patch)
    const gone = await call(file, { method: 'DELETE', headers: { 'if-match': '*' } })
    expect((await json(gone)).deletedAt).toBe('2025-01-02T00:00:00.000Z')
    expect((await call(file, { method: 'DELETE', headers: { 'if-match': '"old"' } })).status).toBe(412)
    expect((await call('/files/none', { method: 'DELETE' })).status).toBe(404)
    expect(instance.calls).toEqual([
      ['move', { id: aFile().id, path: 'b.md', ifMatch: 'r1' }],
      ['patchMetadata', { id: aFile().id, patch, ifMatch: 'r1' }],
      ['delete', { id: aFile().id }],
    ])
  })

  it('take no metadata that could trip a program', async () => {
    const { call, instance } = anApi()
    const patch = (body: string) =>
      call(`${file}/metadata`, { method: 'PATCH', body, headers: { 'content-type': 'application/json' } })
    for (const body of [
      '[]',
      'null',
      '1',
      '{',
      '{"a":{"__proto__":{}}}',
      `${'{"a":'.repeat(70)}1${'}'.repeat(70)}`,
    ]) {
      expect((await patch(body)).status).toBe(400)
    }
    expect((await patch('['.repeat(100_000) + ']'.repeat(100_000))).status).toBe(400)
    expect(instance.calls).toEqual([])
  })
})

describe('errors', () => {
  it('are problem documents with the hint in the detail', async () => {
    const { call, instance } = anApi()
    instance.failure = new DavitError('remote-unreachable', 'the server does not answer', {
      action: 'retry',
      hint: 'Try again later.',
      retryAfterMs: 1500,
    })
    const response = await call('/sync', { method: 'POST' })
    expect(response.headers.get('retry-after')).toBe('2')
    expect([response.status, await json(response)]).toEqual([
      503,
      {
        type: 'urn:davit:problem:remote-unreachable',
        title: 'Remote unreachable',
        status: 503,
        detail: 'the server does not answer. Try again later.',
        code: 'remote-unreachable',
      },
    ])
  })

  it('that nobody foresaw keep their text for the log', async () => {
    const { call, instance, reported } = anApi()
    for (const failure of [
      new Error('secret-text'),
      new DavitError('internal', 'secret-text', { action: 'give-up' }),
    ]) {
      instance.failure = failure
      const response = await call('/sync', { method: 'POST' })
      const text = await response.text()
      expect(response.status).toBe(500)
      expect(text).not.toContain('secret-text')
      expect(JSON.parse(text)).toMatchObject({ code: 'internal', status: 500 })
      expect(reported.at(-1)).toBe(failure)
    }
  })

  it('name the token when it is missing', async () => {
    const { call } = anApi()
    const response = await call('/sync/status', { headers: { authorization: '' } })
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="davit"')
    expect(await json(response)).toMatchObject({ code: 'unauthorized' })
  })

  it('answer routes that do not exist', async () => {
    const { call } = anApi()
    for (const path of ['/', '/records/devices', '/metrics', '/ws', '/sync/plans/1', '/api/v2/sync/status']) {
      const response = await call(path)
      expect([response.status, (await json(response)).code]).toEqual([404, 'not-found'])
    }
  })

  it('refuse bodies that are too large, declared or not', async () => {
    const { call, instance } = anApi()
    const body = `{"paths":["${'x'.repeat(1024 * 1024)}"]}`
    const type = { 'content-type': 'application/json' }
    const streamed = new Blob([body]).stream()
    for (const given of [body, streamed]) {
      expect((await call('/sync', { method: 'POST', body: given, headers: type })).status).toBe(413)
    }
    expect(
      (await call('/sync', { method: 'POST', body: '{}', headers: { ...type, 'content-length': '9999999' } }))
        .status,
    ).toBe(413)
    expect(instance.calls).toEqual([])
  })

  it('refuse bodies that never end', async () => {
    const { call, clock, instance } = anApi()
    const drip = () => new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(Buffer.from('{')) })
    const type = { 'content-type': 'application/json' }
    const slow = call('/sync', { method: 'POST', body: drip(), headers: type })
    const upload = call('/files/content/a.md', { method: 'PUT', body: drip() })
    await clock.advance(60_000)
    expect([(await slow).status, (await upload).status]).toEqual([408, 408])
    expect(instance.calls).toEqual([])
    expect(clock.sleeping).toBe(0)
  })
})

describe('health', () => {
  it('tells states only', async () => {
    const { call, instance } = anApi()
    expect(await json(await call('/health/live'))).toEqual({ status: 'live' })
    const states = { workspace: 'writable', database: 'ok', watcher: 'native' }
    const ready = await call('/health/ready')
    expect([ready.status, await json(ready)]).toEqual([200, { ready: true, remote: 'reachable', ...states }])
    instance.isReady = false
    const unready = await call('/health/ready')
    expect([unready.status, await json(unready)]).toEqual([
      503,
      { ready: false, remote: 'unreachable', ...states },
    ])
  })
})
