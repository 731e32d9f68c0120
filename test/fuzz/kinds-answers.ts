/** What the parts of the protocol make of a hostile server: listings, headers, instances' files. */
import { retryAfterMs } from '../../src/remote/answer.ts'
import { parseDigestChallenge } from '../../src/remote/digest-authentication.ts'
import { downloadObject, findObject } from '../../src/remote/download.ts'
import { createFolders } from '../../src/remote/folders.ts'
import { checkHead, listHeads } from '../../src/remote/head.ts'
import { listInstances } from '../../src/remote/instances.ts'
import { headName } from '../../src/remote/layout.ts'
import { listCollection } from '../../src/remote/list-collection.ts'
import { createLock } from '../../src/remote/lock.ts'
import { redirectError, redirectTarget } from '../../src/remote/redirect.ts'
import { answerOf } from '../support/memory-dav.ts'
import { type CannedStore, cannedStore } from './canned-transport.ts'
import type { Chance } from './chance.ts'
import { decodeAnswer, encodeAnswer, hostileAnswer, hostileMultistatus } from './hostile-answers.ts'
import { hostileTree } from './hostile-values.ts'
import { changeForm, changeValue, print, treeOf } from './json-text.ts'
import { expectThat, type Kind, type Refusal, tryOut } from './kind.ts'
import { mutateBytes } from './mutate-bytes.ts'

/** Any trouble with a server; the message tells which request met it. */
const refusal: Refusal = {
  codes: [
    'remote-unexpected',
    'remote-unreachable',
    'remote-busy',
    'remote-full',
    'remote-unauthorized',
    'remote-too-large',
    'remote-damaged',
  ],
  names: /http:\/\/dav\.test\/|ab\/[0-9a-f]{64}-|dav\.test/,
}

const hash = 'ab'.repeat(32)
const objectName = `ab/${hash}-${'0'.repeat(24)}`
const known = { version: 7, hash: 'a1'.repeat(32) }
const instanceId = '01900000-0000-7000-8000-00000000000a'
const requestsMax = 100
const waitedMsMax = 15 * 60_000

function expectBounded(store: CannedStore): void {
  expectThat(store.requests() <= requestsMax, `${store.requests()} requests were sent`)
  expectThat(store.waitedMs() <= waitedMsMax, `${store.waitedMs()} ms were waited`)
}

export function answerKinds(): Kind[] {
  return [
    {
      name: 'multistatus',
      weight: 8,
      generate: (chance) => {
        const text = Buffer.from(hostileMultistatus(chance))
        return chance.maybe(0.3) ? mutateBytes(text, chance, Buffer.from(hostileMultistatus(chance))) : text
      },
      examine: examineMultistatus,
    },
    {
      name: 'answer',
      weight: 4,
      generate: (chance) => encodeAnswer(hostileAnswer(chance)),
      examine: examineAnswer,
    },
    { name: 'instance-file', weight: 3, generate: instanceFile, examine: examineInstanceFile },
  ]
}

async function examineMultistatus(body: Uint8Array): Promise<void> {
  const store = cannedStore({ status: 207, headers: { 'content-type': 'application/xml' }, body })
  const listing = await tryOut(() => listCollection(store.context, { name: 'version/' }), refusal)
  expectBounded(store)
  if (listing === null || listing.kind === 'missing') return
  for (const { name } of listing.entries) {
    expectThat(name !== '' && name !== '.' && name !== '..', `it lists '${name}'`)
    expectThat(!name.includes('/') && !name.includes('\0'), `it lists ${JSON.stringify(name.slice(0, 100))}`)
  }
}

async function examineAnswer(object: Uint8Array): Promise<void> {
  const answer = decodeAnswer(object)
  const parts: readonly ((store: CannedStore) => Promise<unknown>)[] = [
    ({ context }) => checkHead(context, known),
    ({ context }) => listHeads(context),
    ({ context }) => findObject(context, objectName, 32),
    ({ context }) => listInstances(context),
    ({ context }) =>
      createLock(context, createFolders(context), { form: 'absolute' }, () => ({ id: instanceId })).state(),
    async ({ context }) => {
      const sink = { write: () => {}, restart: () => {} }
      await downloadObject(context, objectName, { hash, size: 32, sizeMax: 64 }, sink)
      expectThat(false, 'bytes of a wrong hash were taken')
    },
  ]
  for (const part of parts) {
    const store = cannedStore(answer)
    await tryOut(() => part(store), refusal)
    expectBounded(store)
  }
  const waitMs = retryAfterMs(answer.headers, Date.UTC(2026, 0, 1))
  expectThat(waitMs === undefined || (waitMs >= 0 && waitMs <= 60_000), `it would wait ${waitMs} ms`)
  parseDigestChallenge(answer.headers['www-authenticate'] ?? '')
  const request = { method: 'GET', name: headName(known) } as const
  const url = new URL(`http://dav.test/dav/store/${request.name}`)
  const redirect = redirectTarget(request, url, answerOf(answer.status, { ...answer.headers }))
  if (redirect.kind === 'follow') {
    expectThat(redirect.url.origin === url.origin, `a redirect leads to ${redirect.url.origin}`)
    expectThat(redirect.url.username === '' && redirect.url.password === '', 'a redirect brings credentials')
  } else redirectError(request, url, answer.status, redirect.location)
}

function instanceFile(chance: Chance): Uint8Array {
  const tree = treeOf({
    id: instanceId,
    name: 'laptop',
    incarnation: 'i1',
    version: 3,
    seenAt: '2026-01-02T03:04:05.678Z',
  })
  if (chance.maybe(0.6)) changeValue(tree, chance, hostileTree)
  if (chance.maybe(0.4)) changeForm(tree, chance, hostileTree)
  const bytes = Buffer.from(`${print(tree)}\n`)
  if (chance.maybe(0.05)) return Buffer.alloc(chance.pick([8_192, 8_193, 100_000]), 'x')
  return chance.maybe(0.4) ? mutateBytes(bytes, chance) : bytes
}

/** Whatever an instance's file holds, it is left out at worst: it is for people, and stops nobody. */
async function examineInstanceFile(body: Uint8Array): Promise<void> {
  const listing = Buffer.from(
    `<multistatus xmlns="DAV:">${['', `${instanceId}-${'0'.repeat(24)}`]
      .map(
        (name) =>
          `<response><href>/dav/store/instances/${name}</href><status>HTTP/1.1 200 OK</status></response>`,
      )
      .join('')}</multistatus>`,
  )
  const store = cannedStore(({ method }) =>
    method === 'PROPFIND' ? { status: 207, headers: {}, body: listing } : { status: 200, headers: {}, body },
  )
  const instances = await listInstances(store.context)
  expectBounded(store)
  for (const { id, name, version, seenAt } of instances) {
    expectThat(id === instanceId, 'a file speaks for another instance')
    expectThat(typeof name === 'string' && name.length <= 512, 'a name is too long')
    expectThat(Number.isSafeInteger(version) && version >= 0, `it says version ${version}`)
    expectThat(!Number.isNaN(Date.parse(seenAt)), `it was seen at ${seenAt}`)
  }
}
