/** Requests to the API with hostile bodies, queries and ids. */
import { anApi } from '../support/api.ts'
import type { Chance } from './chance.ts'
import { hostilePath, hostileText, hostileTree } from './hostile-values.ts'
import { changeForm, changeValue, print, type Tree, treeOf } from './json-text.ts'
import { expectThat, type Kind } from './kind.ts'
import { mutateBytes } from './mutate-bytes.ts'

const routes: readonly (readonly [method: string, path: string, body: unknown])[] = [
  ['POST', '/api/sync', { paths: ['a.txt'], force: true, dryRun: true, wait: false }],
  ['POST', '/api/sync/full', { force: false }],
  ['POST', '/api/sync/incremental', { since: 3, paths: ['a.txt'] }],
  ['POST', '/api/sync/recover', { choice: 'adopt' }],
  ['POST', '/api/sync/verify', { deep: true, repair: false }],
  ['PATCH', '/api/sync/scheduler', { mode: 'manual' }],
  ['POST', '/api/sync/conflicts/ID/resolve', { strategy: 'merge', content: 'x', expected: 'r1' }],
  ['POST', '/api/sync/resolve-conflict', { id: 'c'.repeat(32), strategy: 'local', candidate: 'x' }],
  ['POST', '/api/files/ID/move', { path: 'b.txt' }],
  ['PATCH', '/api/files/ID/metadata', { labels: ['a'], x: { y: null } }],
  ['PUT', '/api/files/PATH/content', 'bytes'],
  ['GET', '/api/files?QUERY', null],
  ['GET', '/api/sync/conflicts?QUERY', null],
  ['GET', '/api/sync/conflicts/ID/content/SIDE', null],
  ['GET', '/api/sync/runs/ID', null],
  ['DELETE', '/api/files/ID', null],
]

export function apiKinds(): Kind[] {
  const { call, reported } = anApi()
  return [
    {
      name: 'api-request',
      weight: 4,
      generate: generateRequest,
      async examine(object) {
        const text = Buffer.from(object)
        const end = text.indexOf('\n')
        const [method = 'GET', path = '/'] = text
          .subarray(0, end < 0 ? text.length : end)
          .toString()
          .split(' ')
        const body = end < 0 ? null : text.subarray(end + 1)
        const hasBody = body !== null && body.length > 0 && !['GET', 'HEAD'].includes(method)
        reported.length = 0
        const response = await call(isCallable(method, path) ? path : '/api/health/live', {
          method: isCallable(method, path) ? method : 'GET',
          headers: { 'content-type': 'application/json' },
          ...(hasBody ? { body: stream(body) } : {}),
        })
        const answer = await response.text()
        expectThat(
          response.status !== 500,
          `it is answered with 500: ${answer.slice(0, 200)} ${String(reported[0])}`,
        )
        if (response.status >= 400) {
          expectThat(
            /problem\+json/.test(response.headers.get('content-type') ?? ''),
            'a refusal is no problem document',
          )
          const problem = JSON.parse(answer) as { detail?: unknown; code?: unknown }
          expectThat(typeof problem.detail === 'string' && problem.detail !== '', 'a refusal says nothing')
          expectThat(
            (problem.detail as string).length <= 20_000,
            `a refusal has ${(problem.detail as string).length} characters`,
          )
        }
      },
    },
  ]
}

function isCallable(method: string, path: string): boolean {
  return /^[A-Z]{3,6}$/.test(method) && path.startsWith('/api') && !/[^\x21-\x7e]/.test(path)
}

function stream(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(Uint8Array.from(bytes))
      controller.close()
    },
  })
}

function generateRequest(chance: Chance): Uint8Array {
  const [method, route, body] = chance.pick(routes)
  const segment = () =>
    encodeAny(chance.pick([hostilePath(chance), hostileText(chance), 'c'.repeat(32), '%2e%2e', '1']))
  const query = () =>
    Array.from({ length: chance.int(4) }, () => {
      const name = chance.pick([
        'limit',
        'cursor',
        'path',
        'prefix',
        'label',
        'status',
        'deleted',
        '__proto__',
        'x',
        'limit',
      ])
      return `${name}=${chance.maybe(0.3) ? chance.pick(['1', '0', '1001', '-1', '1e3', 'synced', 'true']) : segment()}`
    }).join('&')
  const path = route
    .replace('ID', segment())
    .replace('PATH', encodeAny(hostilePath(chance)).replaceAll('%2F', '/'))
    .replace('SIDE', segment())
    .replace('QUERY', query())
  const tree: Tree = treeOf(body)
  if (chance.maybe(0.6)) changeValue(tree, chance, hostileTree)
  if (chance.maybe(0.4)) changeForm(tree, chance, hostileTree)
  const text = body === null ? '' : chance.maybe(0.1) ? print(hostileTree(chance)) : print(tree)
  const bytes = chance.maybe(0.2) ? mutateBytes(Buffer.from(text), chance) : Buffer.from(text)
  return Buffer.concat([Buffer.from(`${method} ${path}\n`), bytes])
}

function encodeAny(text: string): string {
  return encodeURIComponent(text.toWellFormed()).slice(0, 8_000)
}
